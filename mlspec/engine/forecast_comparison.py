"""Loads two forecasts of the record, and compares them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlspec.engine.comparable_runs import refuse_other_forecasts
from mlspec.engine.forecast_sums import compare_files
from mlspec.engine.rows import PlainRows, load_rows, previous_run, run_from_cutoff, run_of_release, series_columns
from mlspec.errors import NotFound
from mlspec.plan.forecast_changes import ForecastChanges, ForecastValue, compare_forecasts
from mlspec.state.record import ForecastRun
from mlspec.targets.base import Target

PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class ForecastComparison:
    """Two forecasts, the columns that name their series, and what changed from the first to the second."""

    before: ForecastRun
    after: ForecastRun
    series: tuple[str, ...]
    changes: ForecastChanges


def find_compared_run(target: Target, name: str, text: str, after: ForecastRun) -> ForecastRun:
    """Return the run that `previous`, a release (r1) or a cutoff names. Raises UsageError if there is none."""
    if text == PREVIOUS:
        return previous_run(target, name, after)
    release = re.fullmatch(r"r([1-9][0-9]{0,8})", text)
    return run_of_release(target, name, int(release[1])) if release else run_from_cutoff(target, name, text)


def compare_runs(
    target: Target, name: str, before: ForecastRun, after: ForecastRun, wanted: Mapping[str, str]
) -> ForecastComparison:
    """Compare two runs over their common periods, only of the series that `wanted` names.

    Raises UsageError if they have no period in common, or no such series, or are of other series, periods or values.
    """
    refuse_other_forecasts(target, name, before, after)
    series = series_columns(target, name)
    changes = (
        _compare_rows(target, name, before, after, wanted) if wanted else compare_files(target, before, after, series)
    )
    if changes is None:
        raise NotFound(
            f"the forecasts of {name} from {before.cutoff} and from {after.cutoff} have no period in common",
            hint="compare with a later cutoff; `mlspec history` lists what was made",
        )
    return ForecastComparison(before, after, series, changes)


def _compare_rows(
    target: Target, name: str, before: ForecastRun, after: ForecastRun, wanted: Mapping[str, str]
) -> ForecastChanges | None:
    """Compare the rows that `wanted` names. Raises UsageError if there is none."""
    series = series_columns(target, name)
    rows = [load_rows(target, name, "forecast", run) for run in (before, after)]
    time = _time_column(rows[1], series)
    values = [list(_values(each.filter_rows(dict(wanted)), series, time)) for each in rows]
    if not any(values):
        pairs = " ".join(f"{column}={value}" for column, value in wanted.items())
        raise NotFound(f"{name} has no series {pairs}", hint=rows[1].hint_on_series(wanted, name))
    return compare_forecasts(*values)


def _time_column(rows: PlainRows, series: tuple[str, ...]) -> str:
    """Return the column of the periods: that which follows the series in every file of a forecast."""
    return next(name for name in rows.columns if name not in series)


def _values(rows: PlainRows, series: tuple[str, ...], time: str) -> Iterator[ForecastValue]:
    keys, at, mean = [rows.columns.index(name) for name in series], rows.columns.index(time), rows.columns.index("mean")
    for row in rows.values:
        yield ForecastValue(tuple(row[i] for i in keys), row[at], row[mean])
