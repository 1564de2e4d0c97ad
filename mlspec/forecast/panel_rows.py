"""Makes the rows of the panel from the rows of the source, as `dataset` says what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mlspec.forecast.aggregate import AggregatedRows, aggregate_rows, join_plan_rows
from mlspec.forecast.available import hide_unavailable
from mlspec.forecast.frame import TARGET, TIME
from mlspec.forecast.frequency import Frequency, period_grid
from mlspec.forecast.history_parts import HistoryParts
from mlspec.forecast.load import TypedRows
from mlspec.forecast.open_days import leave_out_closed
from mlspec.forecast.row_facts import BadRows, PeriodGrid, join_bad_rows
from mlspec.forecast.row_notes import RowNote, join_notes
from mlspec.forecast.zones import join_repeated_hours
from mlspec.spec.dataset import Dataset


def panel_rows(dataset: Dataset, rows: TypedRows, frequency: Frequency, now: pd.Timestamp) -> AggregatedRows:
    """Return the rows of the panel at `now` (as the dataset's clocks show it), and sentences on the rows that are left out."""
    if dataset.aggregate is not None:
        given = aggregate_rows(rows, frequency, dataset.aggregate, now)
    elif dataset.timezone is not None and not frequency.is_daily:
        given = AggregatedRows(*join_repeated_hours(rows, dataset.timezone))
    else:
        given = AggregatedRows(rows)
    open_rows, notes = leave_out_closed(given.rows, frequency)
    sold, told = hide_unavailable(open_rows)
    return AggregatedRows(sold, (*given.notes, *notes, *told))


def plan_rows(dataset: Dataset, plan: TypedRows | None, frequency: Frequency) -> TypedRows | None:
    """Return the rows of the plan of known covariates, one for each period if rows are aggregated."""
    return plan if plan is None or dataset.aggregate is None else join_plan_rows(plan, frequency)


class PanelRows:
    """The rows of a history and those of the panel, part by part: a part is made anew each time, unless it is the only one."""

    def __init__(self, dataset: Dataset, parts: HistoryParts, frequency: Frequency, now: pd.Timestamp) -> None:
        """`now` is what the dataset's clocks show."""
        self._dataset, self._parts, self._frequency, self._now = dataset, parts, frequency, now
        self._only: tuple[TypedRows, AggregatedRows] | None = None

    def __len__(self) -> int:
        return len(self._parts)

    def read(self, number: int) -> tuple[TypedRows, AggregatedRows]:
        """Return the rows of a part as the source has them, and as the panel does."""
        if self._only is not None:
            return self._only
        read = self._parts.read(number)
        made = read, panel_rows(self._dataset, read, self._frequency, self._now)
        if len(self._parts) == 1:
            self._only = made
        return made


@dataclass(frozen=True)
class RowSurvey:
    """What has to be known of all rows before the facts of any part are: `dates` are the distinct dates of the panel's rows.

    `valued` are those of rows with a value. `count`, `bad` and `read_values` are of the rows as the source has them.
    """

    count: int
    bad: BadRows
    read_values: int
    dates: pd.Series
    valued: pd.Series
    notes: tuple[RowNote, ...]

    def find_grid(self, frequency: Frequency) -> PeriodGrid | None:
        """Return the periods of the panel; None without a row. Raises DataError as `period_grid` does."""
        if self.dates.empty:
            return None
        periods = period_grid(self.dates, frequency)
        places = periods.get_indexer(pd.DatetimeIndex(self.valued))
        return PeriodGrid(periods, max(int(places.max(initial=0)), 0), frequency)


def survey_part(read: TypedRows, given: AggregatedRows) -> RowSurvey:
    """Return what has to be known of the rows of a part: as the source has them, and as the panel does."""
    frame = given.rows.frame
    dates = frame[TIME].drop_duplicates()
    with_value = frame.loc[frame[TARGET].notna(), TIME].drop_duplicates()
    values = int(read.frame[TARGET].notna().sum())
    return RowSurvey(read.count, BadRows.of(read.bad), values, dates, with_value, given.notes)


def join_surveys(parts: Sequence[RowSurvey]) -> RowSurvey:
    """Return what has to be known of the rows of all parts."""
    if len(parts) == 1:
        return parts[0]
    return RowSurvey(
        count=sum(part.count for part in parts),
        bad=join_bad_rows([part.bad for part in parts]),
        read_values=sum(part.read_values for part in parts),
        dates=_join_dates([part.dates for part in parts]),
        valued=_join_dates([part.valued for part in parts]),
        notes=join_notes(note for part in parts for note in part.notes),
    )


def _join_dates(parts: Sequence[pd.Series]) -> pd.Series:
    return pd.concat(parts, ignore_index=True).drop_duplicates(ignore_index=True)
