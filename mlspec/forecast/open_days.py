"""The frequency of a dataset with its calendar: closed days are no periods: not filled, scored or forecast."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from mlspec.forecast.frame import TARGET, TIME
from mlspec.forecast.frequency import Frequency, OpenDays, parse_frequency
from mlspec.forecast.load import TypedRows
from mlspec.forecast.named_days import public_holidays
from mlspec.forecast.row_notes import COUNT, RowNote
from mlspec.spec.calendar import DAYS
from mlspec.spec.dataset import Dataset, DayCalendar


def dataset_frequency(dataset: Dataset) -> Frequency:
    """Return the frequency of a dataset, with its calendar. Raises DataError for a country without holidays.

    Raises MissingExtra if the package with the holidays is not installed.
    """
    frequency = parse_frequency(dataset.frequency)
    if dataset.calendar is None:
        return frequency
    weekdays = dataset.calendar.open or (DAYS[:5] if frequency.base == "B" else DAYS)
    season = len(set(weekdays))
    return replace(frequency, season=season, open_days=OpenDays(tuple(weekdays), _closed_dates(dataset.calendar)))


def leave_out_closed(rows: TypedRows, frequency: Frequency) -> tuple[TypedRows, tuple[RowNote, ...]]:
    """Return the rows without those of closed days that say 0 or nothing, and a sentence on them.

    A row of a closed day with another value stays: no period is its own, and the contract says so.
    """
    if frequency.open_days is None or rows.frame.empty:
        return rows, ()
    closed = ~rows.frame[TIME].isin(_open_dates(rows.frame[TIME], frequency)) & rows.frame[TARGET].fillna(0).eq(0)
    count = int(closed.sum())
    note = RowNote(f"{COUNT} rows of closed days are left out: their value is 0 or empty", count, rank=1)
    return replace(rows, frame=rows.frame[~closed]), (note,) if count else ()


def _open_dates(times: pd.Series, frequency: Frequency) -> pd.DatetimeIndex:
    return pd.date_range(times.min().normalize(), times.max(), freq=frequency.offset)


def _closed_dates(calendar: DayCalendar) -> tuple[str, ...]:
    place = calendar.holidays
    days = () if place is None else public_holidays(place, "dataset.calendar.holidays")
    return tuple(sorted({*calendar.closed, *(day.isoformat() for day in days)}))
