"""Frequencies: the dates of their periods, their natural season, and the end of a period.

One table holds the supported frequencies and the number of periods in their natural season. A candidate's `season` overrides it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pandas as pd

from mlspec.errors import DataError

# base alias: periods in its natural season (a day of minutes or hours, a week of days, a year of the rest).
SEASONS = {
    "min": 1440, "h": 24, "D": 7, "B": 5, "W": 52,
    "MS": 12, "ME": 12, "QS": 4, "QE": 4, "YS": 1, "YE": 1,
}  # fmt: skip
# base alias: periods in its seasons, the natural one first, where it has several or one that is no whole number of periods. A year
# has 365.25 days.
LONG_SEASONS = {
    "min": (1440, 10080), "h": (24, 168), "D": (7, 365.25), "B": (5, 260.9), "W": (365.25 / 7,),
}  # fmt: skip
# Spellings that pandas used before 2.2.
_OLD_SPELLINGS = {"T": "min", "H": "h", "M": "ME", "Q": "QE", "A": "YE", "Y": "YE", "AS": "YS"}
_PATTERN = re.compile(r"([1-9][0-9]{0,3})?([A-Za-z]{1,3})(-[A-Z]{3})?")
ENDS_ON_ITS_DATE = ("W", "ME", "QE", "YE")
LONGEST_GRID = 1_000_000


@dataclass(frozen=True)
class OpenDays:
    """The days that are periods: those of the `weekdays` (MON) but for `closed` dates (ISO 8601)."""

    weekdays: tuple[str, ...]
    closed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frequency:
    """One frequency. `alias` is pandas' present spelling; `season` the periods in its natural season, 1 for none.

    With `open_days`, which is for days only, other days are no periods. `own_seasons`: the periods in each season, where a spec
    says them; the first is `season`.
    """

    alias: str
    base: str
    season: int
    open_days: OpenDays | None = None
    own_seasons: tuple[float, ...] = ()

    @property
    def offset(self) -> pd.offsets.BaseOffset:
        """Pandas' own object for the frequency."""
        if self.open_days is not None:
            return _open_offset(self.open_days)
        return pd.tseries.frequencies.to_offset(self.alias)

    @property
    def seasons(self) -> tuple[float, ...]:
        """The periods in each season, for models of several: an hour's day and week, a day's week and year."""
        if self.own_seasons:
            return self.own_seasons
        if self.open_days is not None or self.base not in LONG_SEASONS:
            return (self.season,) if self.season > 1 else ()
        count = SEASONS[self.base] / self.season if self.season > 1 else 1
        return tuple(season / count for season in LONG_SEASONS[self.base] if season / count >= 2)

    @property
    def is_daily(self) -> bool:
        """Whether a period lasts a day or longer, so that a date without a time names it."""
        return self.base not in ("min", "h")

    def with_seasons(self, seasons: Sequence[int] | None) -> Frequency:
        """Return the frequency with other seasons, rising; the same one for None."""
        return replace(self, season=seasons[0], own_seasons=tuple(seasons)) if seasons else self

    def period_end(self, period: pd.Timestamp) -> pd.Timestamp:
        """Return the end of `period`. A week or month that is named by its last day ends with that day, an open day in the night.

        Raises DataError beyond the last year that can be represented.
        """
        with _refuse_beyond_last_year(self.alias):
            is_one_day = self.base in ENDS_ON_ITS_DATE or self.open_days is not None
            return period + pd.Timedelta(days=1) if is_one_day else period + self.offset

    def periods_after(self, period: pd.Timestamp, count: int) -> pd.DatetimeIndex:
        """Return the `count` periods that follow `period`. Raises DataError beyond the last year that can be represented."""
        with _refuse_beyond_last_year(self.alias):
            return pd.date_range(period, periods=count + 1, freq=self.offset)[1:]

    def format_period(self, period: pd.Timestamp, zone: str | None = None) -> str:
        """Return ISO 8601: a date; for periods shorter than a day date and time, with the offset of `zone` if there is one."""
        if zone is not None and not self.is_daily:
            return period.to_pydatetime().replace(tzinfo=ZoneInfo(zone)).isoformat()
        return str(period.date().isoformat() if self.is_daily and period == period.normalize() else period.isoformat())


@lru_cache(maxsize=64)
def _open_offset(days: OpenDays) -> pd.offsets.BaseOffset:
    mask = " ".join(day.capitalize() for day in days.weekdays)
    return pd.offsets.CustomBusinessDay(weekmask=mask, holidays=list(days.closed))


@contextmanager
def _refuse_beyond_last_year(alias: str) -> Iterator[None]:
    """Turn pandas' errors about a date that its nanoseconds cannot represent into a DataError."""
    try:
        yield
    except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta, OverflowError) as error:
        raise DataError(
            f"periods of {alias} would reach beyond {pd.Timestamp.max.year}, the last year that mlspec can represent",
            hint="lower model.horizon, or correct dataset.frequency or a wrong date in the data",
        ) from error


def parse_frequency(alias: str) -> Frequency:
    """Return the frequency of a spec's alias. Raises DataError, which lists the supported ones."""
    spelling = _PATTERN.fullmatch(alias)
    base = _OLD_SPELLINGS.get(spelling[2], spelling[2]) if spelling else ""
    if not spelling or base not in SEASONS:
        raise _unknown_frequency(alias)
    count, anchor = int(spelling[1] or 1), spelling[3] or ""
    modern = f"{count if count > 1 else ''}{base}{anchor}"
    try:
        pd.tseries.frequencies.to_offset(modern)
    except ValueError as error:
        raise _unknown_frequency(alias) from error
    season, remainder = divmod(SEASONS[base], count)
    return Frequency(modern, base, season if season and not remainder else 1)


def period_grid(dates: pd.Series, freq: Frequency) -> pd.DatetimeIndex:
    """Return every period from the first to the last of `dates`, in the phase of most dates.

    Raises DataError if the span has more than LONGEST_GRID periods, which means a wrong date or frequency.
    """
    first, last = _grid_start(dates, freq), dates.max()
    if span_between(first, last) / _shortest_period(freq).to_pytimedelta() > LONGEST_GRID:
        raise DataError(
            f"from {freq.format_period(dates.min())} to {freq.format_period(last)} "
            f"there are more than {LONGEST_GRID:,} periods of {freq.alias}",
            hint="correct a wrong date in the time column, or dataset.frequency",
        )
    return pd.date_range(first, last, freq=freq.offset)


def span_between(first: pd.Timestamp, last: pd.Timestamp) -> timedelta:
    """Return `last` - `first` to the microsecond, however far apart: a difference in nanoseconds ends at 292 years."""
    return last.to_pydatetime(warn=False) - first.to_pydatetime(warn=False)


def _grid_start(dates: pd.Series, freq: Frequency) -> pd.Timestamp:
    """Return the first period of the grid: the earliest date in the phase of most dates."""
    unique = pd.Series(dates.unique())
    if isinstance(freq.offset, pd.offsets.Tick):
        phase = unique.astype("int64") % pd.Timedelta(freq.offset).value
        return unique[phase == phase.mode()[0]].min()
    return pd.date_range(unique.min(), periods=1, freq=freq.offset)[0]


def _shortest_period(freq: Frequency) -> pd.Timedelta:
    start = pd.Timestamp(2001, 1, 1)
    return freq.periods_after(start, 1)[0] - start if isinstance(freq.offset, pd.offsets.Tick) else pd.Timedelta(days=1)


def _unknown_frequency(alias: str) -> DataError:
    return DataError(
        f"dataset.frequency '{alias}' is not a frequency that mlspec knows",
        hint=f"use one of {', '.join(SEASONS)}; weeks end on a day (W-FRI), and a number may come first (15min, 2W-SUN)",
    )
