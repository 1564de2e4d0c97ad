"""Finds the frequency to which dates belong, to name it where a spec says another."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from mlspec.forecast.frequency import LONGEST_GRID
from mlspec.spec.calendar import MONTHS

_FEWEST_DATES = 3  # two dates belong to many frequencies
_SHARE_OF_PERIODS = 0.5  # of the periods between the first and the last date, so many must be among the dates
_SHORTEST_DAYS = {"YE": 365, "YS": 365, "QE": 89, "QS": 89, "ME": 28, "MS": 28, "W": 7, "B": 1, "D": 1}
_MINUTES = {"h": 60, "30min": 30, "15min": 15, "5min": 5, "min": 1}


def find_frequency(dates: pd.Series | pd.DatetimeIndex) -> str | None:
    """Return the longest frequency to which all dates belong, such as W-SUN; None if there are few dates, or none fits."""
    days = pd.DatetimeIndex(dates).dropna().unique().sort_values()
    if len(days) < _FEWEST_DATES:
        return None
    return next((alias for alias in _aliases(days) if _belong(days, alias)), None)


def anchor_frequency(base: str, date: pd.Timestamp) -> str:
    """Return the alias of weeks, quarters or years of which `date` is one: W-SUN for W and a Sunday, QE-JAN for QE and 30 April.

    An anchor that pandas assumes is left out (QE is QE-DEC), except of weeks.
    """
    if base == "W":
        return f"W-{date.day_name()[:3].upper()}"
    months = {"YE": 12, "YS": 12, "QE": 3, "QS": 3}.get(base)
    if months is None:
        return base
    usual = 12 if base in ("YE", "QE") else 1
    month = (date.month - 1) % months + 1
    month = 12 if base == "QE" and month == 3 else month
    return base if month == usual else f"{base}-{MONTHS[month - 1]}"


def _aliases(days: pd.DatetimeIndex) -> Iterator[str]:
    """Yield the aliases that dates between the first and the last may have, the longest first."""
    span = days[-1].to_pydatetime(warn=False) - days[0].to_pydatetime(warn=False)
    if (days == days.normalize()).all():
        yield from (
            anchor_frequency(base, days[-1])
            for base, least in _SHORTEST_DAYS.items()
            if span.days / least < LONGEST_GRID
        )
    else:
        yield from (alias for alias, least in _MINUTES.items() if span.total_seconds() / 60 / least < LONGEST_GRID)


def _belong(days: pd.DatetimeIndex, alias: str) -> bool:
    """Return whether all dates belong to a frequency, and are a good part of its periods: a year has few of all days."""
    periods = pd.date_range(days[0], days[-1], freq=alias)
    return bool(len(periods) and days.isin(periods).all() and len(days) >= _SHARE_OF_PERIODS * len(periods))
