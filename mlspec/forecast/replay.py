"""Replays a source as it was known earlier: rows up to a period, the later plan of known covariates, an optional level shift.

Rehearsals replay the real history period by period, inject a fault and show what the loop does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mlspec.errors import DataError, ModelError
from mlspec.forecast import parse
from mlspec.forecast.frequency import Frequency, parse_frequency, period_grid
from mlspec.forecast.load import history_columns
from mlspec.forecast.source import local_files
from mlspec.forecast.table import read_table
from mlspec.spec.forecast import Dataset


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
    table = read_table(
        local_files(dataset.source.uri, root, "dataset.source"), history_columns(dataset), "dataset.source"
    )
    parsed_times = parse.parse_times(table.columns[dataset.time])
    has_time = parsed_times.values.notna()
    rows = pd.DataFrame(table.columns).astype(str)[has_time].reset_index(drop=True)
    times = parsed_times.values[has_time].reset_index(drop=True)
    freq = parse_frequency(dataset.frequency)
    return Replay(dataset, rows, times, period_grid(times, freq), freq, _load_plan(dataset, root))


def _load_plan(dataset: Dataset, root: Path) -> pd.DataFrame | None:
    if dataset.future is None or not dataset.covariates.known:
        return None
    files = local_files(dataset.future.uri, root, "dataset.future")
    keys = [*dataset.series, dataset.time]
    try:
        return pd.DataFrame(read_table(files, [*keys, *dataset.covariates.known], "dataset.future").columns).astype(str)
    except DataError:  # a plan without series columns applies to all series
        columns = [dataset.time, *dataset.covariates.known]
        return pd.DataFrame(read_table(files, columns, "dataset.future").columns).astype(str)


def replayable_periods(replayed: Replay, periods: int) -> int:
    """Return `periods`, if so many can be replayed. Raises ModelError if the history is too short for a rehearsal."""
    if len(replayed.periods) < periods + 2:
        raise ModelError(
            f"a rehearsal replays the last {periods} periods, and the history has only {len(replayed.periods)}",
            hint="provide more history, or shorten the windows of the alerts",
        )
    return periods
