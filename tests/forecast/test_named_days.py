"""Holidays and events as covariates: how many of their days each period holds."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.errors import DataError
from mlspec.forecast.frequency import OpenDays, parse_frequency
from mlspec.forecast.named_days import count_days, public_holidays

BEGIN = date(2024, 1, 1)


def counts(alias: str, days: list[date], begin: str, periods: int) -> list[float]:
    frequency = parse_frequency(alias)
    times = pd.date_range(begin, periods=periods, freq=frequency.offset)
    return list(count_days(pd.Series(times), frequency, tuple(sorted(days))))


@pytest.mark.parametrize(("alias", "begin", "expected"), [
    ("D", "2024-12-24", [0, 1, 0]),
    ("h", "2024-12-24T23:00", [0, 1, 1]),  # each hour of the day
    ("W-FRI", "2024-12-20", [0, 1, 1]),  # 25 December lies in the week that ends on the 27th, 1 January in the next
    ("W-WED", "2024-12-18", [0, 1, 1]),  # the last day of the week is its own
    ("MS", "2024-11-01", [0, 1, 1]),
    ("ME", "2024-11-30", [0, 1, 1]),
    ("QE", "2024-09-30", [0, 1, 1]),
    ("YS", "2024-01-01", [1, 1, 0]),
])  # fmt: skip
def test_a_period_holds_the_days_from_its_first_to_its_last(alias: str, begin: str, expected: list[int]) -> None:
    assert counts(alias, [date(2024, 12, 25), date(2025, 1, 1)], begin, 3) == expected


@given(
    alias=st.sampled_from(["D", "W-FRI", "W-SUN", "2W-SUN", "MS", "ME", "QS", "QE"]),
    offsets=st.sets(st.integers(0, 200), max_size=30),
)
def test_each_day_lies_in_one_period(alias: str, offsets: set[int]) -> None:
    days = [BEGIN + timedelta(days=offset) for offset in offsets]
    frequency = parse_frequency(alias)
    grid = pd.date_range("2023-01-01", "2025-12-31", freq=frequency.offset)
    assert count_days(pd.Series(grid), frequency, tuple(sorted(days))).sum() == len(days)


def test_a_day_that_is_closed_is_in_no_period() -> None:
    frequency = parse_frequency("D").__class__("D", "D", 6, OpenDays(("MON", "TUE", "WED", "THU", "FRI", "SAT")))
    times = pd.date_range("2024-12-21", periods=3, freq=frequency.offset)
    sunday, monday = date(2024, 12, 22), date(2024, 12, 23)
    assert list(count_days(pd.Series(times), frequency, (sunday, monday))) == [0, 1, 0]


def test_the_holidays_of_a_region_are_more_than_those_of_its_country() -> None:
    country, region = public_holidays("BR", "path"), public_holidays("BR-SP", "path")
    assert date(2026, 9, 7) in country
    assert set(country) < set(region)
    assert date(2026, 7, 9) in set(region) - set(country)
    assert list(region) == sorted(region)


def test_a_country_that_is_not_known_is_named_with_its_key() -> None:
    with pytest.raises(DataError, match=r"dataset\.covariates\.holidays: no holidays of 'XX' are known"):
        public_holidays("XX", "dataset.covariates.holidays")
