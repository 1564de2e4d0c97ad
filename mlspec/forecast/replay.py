"""Replays a source as it was known earlier: rows up to a period, the later plan of known covariates, an optional level shift.

Rehearsals replay the real history period by period, inject a fault and show what the loop does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mlspec.errors import ModelError
from mlspec.forecast.aggregate import row_periods
from mlspec.forecast.frequency import Frequency, period_grid
from mlspec.forecast.load import history_columns, read_plan
from mlspec.forecast.open_days import dataset_frequency
from mlspec.forecast.reading.column import as_text
from mlspec.forecast.reading.dialect import PLAIN, Dialect, plan_dialect, source_dialect
from mlspec.forecast.reading.numbers import parse_numbers
from mlspec.forecast.reading.table import Table
from mlspec.forecast.reading.times import parse_times
from mlspec.forecast.source import read_history
from mlspec.spec.dataset import Dataset


@dataclass(frozen=True)
class Replay:
    """A whole history as text in the user's columns. `times` has each row's period, `periods` all periods, oldest first."""

    dataset: Dataset
    rows: pd.DataFrame
    times: pd.Series
    periods: pd.DatetimeIndex
    frequency: Frequency
    plan: pd.DataFrame | None

    def rows_until(
        self, last: pd.Timestamp, *, shift_from: pd.Timestamp | None = None, factor: float = 1.0
    ) -> pd.DataFrame:
        """Return the rows up to the period `last`; from `shift_from` on, the target is multiplied by `factor`."""
        rows = self.rows[self.times <= last].copy()
        if shift_from is not None:
            shifted = self.times[rows.index] >= shift_from
            numbers = pd.to_numeric(rows.loc[shifted, self.dataset.target], errors="coerce") * factor
            rows.loc[shifted, self.dataset.target] = numbers.astype(str)
        return rows

    def known_plan(self) -> pd.DataFrame | None:
        """Return the plan of known covariates for every period, also of the history; None if the spec has none."""
        known = self.dataset.covariates.known
        if not known or self.plan is None:
            return None
        keys = [name for name in self.dataset.series if name in self.plan] + [self.dataset.time]
        all_rows = pd.concat([self.rows[[*keys, *known]], self.plan[[*keys, *known]]], ignore_index=True)
        return all_rows.drop_duplicates(keys)


def load_replay(dataset: Dataset, root: Path) -> Replay:
    """Read a dataset's whole source. Raises DataError if it cannot be read, as the step `check` does."""
    dialect = source_dialect(dataset.source)
    table = read_history(dataset, root, history_columns(dataset))
    times = parse_times(table.columns[dataset.time], dialect, dataset.timezone).values
    has_time = times.notna()
    cov = dataset.covariates
    numbers = {dataset.target, *cov.known, *cov.past, *cov.static, *dataset.checks.range}
    rows = _plain_rows(table, dataset, numbers, dialect)[has_time].reset_index(drop=True)
    times = times[has_time].reset_index(drop=True)
    freq = dataset_frequency(dataset)
    if dataset.aggregate is not None:
        times = row_periods(times, freq)
    return Replay(dataset, rows, times, period_grid(times, freq), freq, _load_plan(dataset, root))


def _load_plan(dataset: Dataset, root: Path) -> pd.DataFrame | None:
    if dataset.future is None or not dataset.covariates.known:
        return None
    dialect = plan_dialect(dataset)
    table, _series = read_plan(dataset, root, dialect)
    return _plain_rows(table, dataset, set(dataset.covariates.known), dialect)


def _plain_rows(table: Table, dataset: Dataset, numbers: Collection[str], dialect: Dialect) -> pd.DataFrame:
    """Return a table as plain CSV has it: numbers and dates that can be read are written anew, the rest is kept."""
    rows = pd.DataFrame({name: as_text(column).strings() for name, column in table.columns.items()})
    for name in numbers:
        values = parse_numbers(table.columns[name], dialect).values
        rows[name] = rows[name].where(values.isna(), values.map(repr))
    if dialect.date_format != PLAIN.date_format:
        time = dataset.time
        times = parse_times(table.columns[time], dialect, dataset.timezone).values
        rows[time] = rows[time].where(times.isna(), times.dt.strftime("%Y-%m-%dT%H:%M:%S"))
    return rows


def replayable_periods(replayed: Replay, periods: int) -> int:
    """Return `periods`, if so many can be replayed. Raises ModelError if the history is too short for a rehearsal."""
    if len(replayed.periods) < periods + 2:
        raise ModelError(
            f"a rehearsal replays the last {periods} periods, and the history has only {len(replayed.periods)}",
            hint="provide more history, or shorten the windows of the alerts",
        )
    return periods
