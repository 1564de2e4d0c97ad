"""Files of a forecast as rows of plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from mlspec.errors import MissingExtra, StateError, UsageError
from mlspec.plan.select import known_name
from mlspec.spec.faults import did_you_mean
from mlspec.state.record import ForecastRun
from mlspec.targets.base import Target

_RESTORE = "restore the state from a backup, or run `mlspec apply`"
_MOST_CUTOFFS = 8  # cutoffs in the hint of an error


@dataclass(frozen=True)
class PlainRows:
    """A table of plain values: names of columns, and rows in order. Times are ISO text; a missing value is None."""

    columns: list[str]
    values: list[list[Any]]

    def filter_rows(self, wanted: dict[str, str]) -> PlainRows:
        """Return the rows whose columns have these values, as text. Raises UsageError for an unknown column."""
        for name in wanted:
            if name not in self.columns:
                raise UsageError(f"--series: there is no column '{name}'", hint=did_you_mean(name, self.columns))
        at = {self.columns.index(name): text for name, text in wanted.items()}
        return PlainRows(
            self.columns, [row for row in self.values if all(str(row[i]) == text for i, text in at.items())]
        )


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
    values = [column.to_pylist() for column in arrow_table.columns]
    form = _TimeForm(any(map(_is_time_of_day, chain.from_iterable(values))), zone)
    columns = [[_plain_value(value, form) for value in column] for column in values]
    return PlainRows(list(arrow_table.column_names), [list(row) for row in zip(*columns, strict=True)])


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
    known_name(name, target.forecast_names())
    for run in target.load_runs(name):
        return run
    raise StateError(f"{name} has no forecast yet", hint="`mlspec status` says why; `mlspec apply` makes one")


def run_from_cutoff(target: Target, name: str, cutoff: str) -> ForecastRun:
    """Return the last made forecast from a cutoff: one that was made in time, or one that was filled in later.

    Raises UsageError if there is none.
    """
    known_name(name, target.forecast_names())
    runs = sorted((*target.load_runs(name), *target.load_backfills(name)), key=lambda run: run.created, reverse=True)
    for run in runs:
        if run.cutoff == cutoff:
            return run
    cutoffs = sorted({run.cutoff for run in runs}, reverse=True)[:_MOST_CUTOFFS]
    raise UsageError(
        f"no forecast of {name} was made from '{cutoff}'", hint=f"there are: {', '.join(cutoffs) or 'none yet'}"
    )


def load_rows(target: Target, name: str, role: str, cutoff: str | None) -> PlainRows:
    """Return a file of the newest forecast, or of that from a cutoff, as rows. Raises StateError if it has no such file."""
    run = run_from_cutoff(target, name, cutoff) if cutoff else newest_run(target, name)
    if role not in run.files:
        raise StateError(
            f"the forecast of {name} has no {role}", hint=f"add `{role}:` to its spec, then `mlspec apply`"
        )
    return read_rows(target.fetch_file(name, run.files[role]), checked_facts(target, name).get("timezone"))


def checked_facts(target: Target, name: str) -> Mapping[str, Any]:
    """Return the facts of the data that was checked last; empty if there is none."""
    data = target.observe_forecast(name).resources.get("data")
    return data.facts if data else {}
