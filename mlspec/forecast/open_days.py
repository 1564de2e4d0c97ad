"""The frequency of a dataset with its calendar: closed days are no periods: not filled, scored or forecast."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pandas as pd

from mlspec.errors import DataError, MissingExtra
from mlspec.forecast.frame import TARGET, TIME
from mlspec.forecast.frequency import Frequency, OpenDays, parse_frequency
from mlspec.forecast.load import TypedRows
from mlspec.spec.calendar import DAYS
from mlspec.spec.dataset import Dataset, DayCalendar

_YEARS = range(1990, 2061)  # for which a country's holidays are known


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


def leave_out_closed(rows: TypedRows, frequency: Frequency) -> tuple[TypedRows, tuple[str, ...]]:
    """Return the rows without those of closed days that say 0 or nothing, and a sentence on them.

    A row of a closed day with another value stays: no period is its own, and the contract says so.
    """
    if frequency.open_days is None:
        return rows, ()
    closed = ~rows.frame[TIME].isin(_open_dates(rows.frame[TIME], frequency)) & rows.frame[TARGET].fillna(0).eq(0)
    count = int(closed.sum())
    notes = (f"{count:,} rows of closed days are left out: their value is 0 or empty",) if count else ()
    return replace(rows, frame=rows.frame[~closed]), notes


def _open_dates(times: pd.Series, frequency: Frequency) -> pd.DatetimeIndex:
    return pd.date_range(times.min().normalize(), times.max(), freq=frequency.offset)


def _closed_dates(calendar: DayCalendar) -> tuple[str, ...]:
    holidays = () if calendar.holidays is None else _public_holidays(calendar.holidays)
    return tuple(sorted({*calendar.closed, *holidays}))


@lru_cache(maxsize=16)
def _public_holidays(place: str) -> tuple[str, ...]:
    """Return the public holidays of a country (BR), or of one of its regions (BR-SP)."""
    try:
        import holidays
    except ImportError as error:
        raise MissingExtra("holidays", "holidays") from error
    country, _, region = place.partition("-")
    try:
        days = holidays.country_holidays(country, subdiv=region or None, years=_YEARS)
    except NotImplementedError as error:
        known = holidays.list_supported_countries().get(country)
        of_country = f"regions of {country}: {', '.join(known[:60])}" if known else "such as BR, or BR-SP"
        raise DataError(f"dataset.calendar.holidays: no holidays of '{place}' are known", hint=of_country) from error
    return tuple(day.isoformat() for day in days)
