"""Files of a forecast as rows of plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from mlspec.errors import MissingExtra, NotFound, StateError, UsageError
from mlspec.plan.natural_order import natural_key
from mlspec.plan.releases import release_spec
from mlspec.plan.select import recorded_name
from mlspec.spec.faults import did_you_mean, hint_on_series
from mlspec.state.record import ForecastRun, Release
from mlspec.targets.base import Target

_RESTORE = "restore the state from a backup, or run `mlspec apply`"
_MOST_CUTOFFS = 8  # cutoffs in the hint of an error


@dataclass(frozen=True)
class PlainRows:
    """A table of plain values: names of columns, and rows in order. Times are ISO text; a missing value is None.

    `times` names the columns of times: a form that has dates of its own writes them as such.
    """

    columns: list[str]
    values: list[list[Any]]
    times: frozenset[str] = frozenset()

    def filter_rows(self, wanted: dict[str, str]) -> PlainRows:
        """Return the rows whose columns have these values, as text. Raises UsageError for an unknown column."""
        for name in wanted:
            if name not in self.columns:
                raise UsageError(f"--series: there is no column '{name}'", hint=did_you_mean(name, self.columns))
        at = {self.columns.index(name): text for name, text in wanted.items()}
        kept = [row for row in self.values if all(str(row[i]) == text for i, text in at.items())]
        return replace(self, values=kept)

    def hint_on_series(self, wanted: Mapping[str, str], name: str) -> str:
        """Return what to do where no row of the forecast `name` has the `wanted` values, as text."""
        places = {column: self.columns.index(column) for column in wanted}
        known = {column: {str(row[at]) for row in self.values} for column, at in places.items()}
        return hint_on_series(wanted, known, name)

    def sort_by_keys(self, keys: Sequence[str]) -> PlainRows:
        """Return the rows in natural order of some columns: series 9 before series 10. Rows with the same keys keep their order."""
        at = [self.columns.index(name) for name in keys if name in self.columns]
        return replace(self, values=sorted(self.values, key=lambda row: [natural_key(row[i]) for i in at]))


def read_rows(file: Path, zone: str | None = None) -> PlainRows:
    """Read a Parquet file. Times of day, if it has some, are those of `zone` and say so. Raises MissingExtra without pyarrow."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "forecast") from error
    try:
        arrow_table = pyarrow.parquet.read_table(file)
    except pyarrow.ArrowException as error:
        raise StateError(
            f"the stored file {file.name} is no Parquet file: the record names a wrong one", hint=_RESTORE
        ) from error
    return plain_rows(list(arrow_table.column_names), [column.to_pylist() for column in arrow_table.columns], zone)


def plain_rows(names: list[str], values: Sequence[Sequence[Any]], zone: str | None = None) -> PlainRows:
    """Return columns of values as rows. Times of day, if there are some, are those of `zone` and say so."""
    form = _TimeForm(any(map(_is_time_of_day, chain.from_iterable(values))), zone)
    columns = [[_plain_value(value, form) for value in column] for column in values]
    times = frozenset(
        name for name, column in zip(names, values, strict=True) if any(isinstance(value, date) for value in column)
    )
    return PlainRows(names, [list(row) for row in zip(*columns, strict=True)], times)


@dataclass(frozen=True)
class _TimeForm:
    """How the times of a table are written: as dates, or with the time of day (`timed`) and the offset of a zone."""

    timed: bool
    zone: str | None

    def format_time(self, value: datetime) -> str:
        """Return ISO 8601. Midnight is a time like any other where there are others."""
        if not self.timed:
            return value.date().isoformat()
        return (value if self.zone is None else value.replace(tzinfo=ZoneInfo(self.zone))).isoformat()


def _is_time_of_day(value: Any) -> bool:
    return isinstance(value, datetime) and (value.hour, value.minute, value.second, value.microsecond) != (0, 0, 0, 0)


def _plain_value(value: Any, form: _TimeForm) -> Any:
    if isinstance(value, datetime):
        return form.format_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def newest_run(target: Target, name: str) -> ForecastRun:
    """Return the newest forecast run. Raises UsageError for an unknown name, StateError if there is none yet."""
    recorded_name(name, target.forecast_names())
    for run in target.load_runs(name):
        return run
    raise StateError(f"{name} has no forecast yet", hint="`mlspec status` says why; `mlspec apply` makes one")


def run_from_cutoff(target: Target, name: str, cutoff: str) -> ForecastRun:
    """Return the last made forecast from a cutoff: one that was made in time, or one that was filled in later.

    Raises UsageError if there is none.
    """
    recorded_name(name, target.forecast_names())
    runs = sorted((*target.load_runs(name), *target.load_backfills(name)), key=lambda run: run.created, reverse=True)
    for run in runs:
        if run.cutoff == cutoff:
            return run
    cutoffs = sorted({run.cutoff for run in runs}, reverse=True)[:_MOST_CUTOFFS]
    raise NotFound(
        f"no forecast of {name} was made from '{cutoff}'", hint=f"there are: {', '.join(cutoffs) or 'none yet'}"
    )


def run_of_release(target: Target, name: str, number: int) -> ForecastRun:
    """Return the last forecast that a release made while it was the newest one. Raises UsageError if there is none."""
    recorded_name(name, target.forecast_names())
    releases = {release.release: release for release in target.load_releases(name)}
    if number not in releases:
        known = ", ".join(f"r{each}" for each in sorted(releases)) or "none yet"
        raise NotFound(f"{name} has no release r{number}", hint=f"releases: {known}")
    release = releases[number]
    following = releases.get(min((other for other in releases if other > number), default=0))
    for run in target.load_runs(name):
        if run.version == release.version and run.created >= release.created and _was_made_before(run, following):
            return run
    raise NotFound(f"release r{number} of {name} made no forecast", hint=f"`mlspec history {name}` lists what was made")


def _was_made_before(run: ForecastRun, following: Release | None) -> bool:
    """Return whether a run was made before a release. Within the same second, a run by another version than its was."""
    if following is None or run.created < following.created:
        return True
    return run.created == following.created and run.version != following.version


def previous_run(target: Target, name: str, run: ForecastRun) -> ForecastRun:
    """Return the forecast that was the newest one before `run` and has another cutoff or version. Raises UsageError if none is."""
    for earlier in target.load_runs(name):
        if earlier.created <= run.created and (earlier.cutoff, earlier.version) != (run.cutoff, run.version):
            return earlier
    raise NotFound(f"{name} has no forecast before that from {run.cutoff}", hint="compare it once there are two")


def choose_run(target: Target, name: str, *, cutoff: str | None = None, release: int | None = None) -> ForecastRun:
    """Return the newest forecast, that from a cutoff, or the last of a release. Raises UsageError if there is none."""
    if release is not None:
        return run_of_release(target, name, release)
    return run_from_cutoff(target, name, cutoff) if cutoff else newest_run(target, name)


def load_rows(target: Target, name: str, role: str, run: ForecastRun) -> PlainRows:
    """Return a file of a forecast as rows, its series in natural order. Raises StateError if it has no such file."""
    if role not in run.files:
        raise StateError(
            f"the forecast of {name} has no {role}", hint=f"add `{role}:` to its spec, then `mlspec apply`"
        )
    table = read_rows(target.fetch_file(name, run.files[role]), checked_facts(target, name).get("timezone"))
    return table.sort_by_keys(series_columns(target, name))


def series_columns(target: Target, name: str) -> tuple[str, ...]:
    """Return the columns that name a series, by the newest release whose spec can be read; empty if none can."""
    for release in target.load_releases(name)[:1]:
        try:
            return release_spec(release).dataset.series
        except StateError:  # `status` says what is wrong with the record; rows keep the order of the file
            return ()
    return ()


def checked_facts(target: Target, name: str) -> Mapping[str, Any]:
    """Return the facts of the data that was checked last; empty if there is none."""
    data = target.observe_forecast(name).resources.get("data")
    return data.facts if data else {}
