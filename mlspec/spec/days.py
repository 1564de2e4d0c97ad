"""Days as a spec writes them: a date or a range of dates, a day or a range of each year, or a day of each month by a rule.

2026-07-01, 2026-07-01/2026-07-31 with both ends; 12-20 and 12-15/01-31 of each year; `day 20`, and `workday 5` of each month, where
-1 is the last.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import date, timedelta

_OF_MONTH = re.compile(r"(workday|day) (-?[0-9]+)")
_YEARLY = re.compile(r"[0-9]{2}-[0-9]{2}(?:/[0-9]{2}-[0-9]{2})?")
_LEAP_YEAR = 2024  # which has every day that a year can have
_SATURDAY = 5
LONGEST_EVENT = timedelta(days=366)  # what lasts longer tells a model nothing


def event_days(text: str, years: Iterable[int], holidays: Collection[date] = frozenset()) -> Iterator[date]:
    """Yield the days of a text; of one that recurs, those of `years`. On weekends and `holidays` nobody works.

    A month without such a day has none. Raises ValueError if a date does not exist, or a range ends before it begins.
    """
    of_month, yearly = _OF_MONTH.fullmatch(text), _YEARLY.fullmatch(text)
    for year in years if of_month or yearly else ():
        if of_month:
            for month in range(1, 13):
                yield from _days_of_month(year, month, of_month[1], int(of_month[2]), holidays)
        else:
            yield from _days_of_year(text, year)
    if not of_month and not yearly:
        yield from day_range(text)


def day_range(text: str) -> Iterator[date]:
    """Yield the days of a date or of a range. Raises ValueError if an end is no date, or the second is before the first."""
    first, _, last = text.partition("/")
    begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
    if end < begin:
        raise ValueError(f"{last} is before {first}")
    for number in range((end - begin).days + 1):
        yield begin + timedelta(days=number)


def dates_named(text: str) -> list[str]:
    """Return the dates that a text names, as texts: those of each year in one that has all days; none of a rule."""
    if _OF_MONTH.fullmatch(text):
        return []
    return [f"{_LEAP_YEAR}-{day}" if _YEARLY.fullmatch(text) else day for day in text.split("/")]


def _days_of_month(year: int, month: int, kind: str, place: int, holidays: Collection[date]) -> Iterator[date]:
    days = [date(year, month, day) for day in range(1, calendar.monthrange(year, month)[1] + 1)]
    if kind == "workday":
        days = [day for day in days if day.weekday() < _SATURDAY and day not in holidays]
    index = place - 1 if place > 0 else place
    if -len(days) <= index < len(days):
        yield days[index]


def _days_of_year(text: str, year: int) -> Iterator[date]:
    """Yield the days of a range that begins in a year; where its end is the earlier date, it ends in the next one."""
    first, _, last = text.partition("/")
    end_year = year if (last or first) >= first else year + 1
    begin, end = _date_in(year, first, date(year, 3, 1)), _date_in(end_year, last or first, date(end_year, 2, 28))
    for number in range((end - begin).days + 1):
        yield begin + timedelta(days=number)


def _date_in(year: int, day: str, instead: date) -> date:
    """Return a day of a year, or another one for 29 February in a year without it."""
    return instead if day == "02-29" and not calendar.isleap(year) else date.fromisoformat(f"{year}-{day}")
