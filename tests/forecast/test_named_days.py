"""Holidays and events as covariates: how many of their days each period holds."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.errors import DataError
from mlspec.forecast.frequency import OpenDays, parse_frequency
from mlspec.forecast.named_days import count_days, named_days, public_holidays
from mlspec.spec.dataset import Dataset
from mlspec.spec.days import event_days

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


def days_in(texts: list[str], year: int, **keys: object) -> list[str]:
    """The days of an event in a year, as month and day."""
    columns = {"source": {"uri": "data/sales.csv"}, "time": "day", "target": "units", "frequency": "D"}
    covariates = {"events": {"event": texts}, **keys}
    named = named_days(Dataset.model_validate({**columns, "covariates": covariates}), {})
    return [f"{day:%m-%d}" for day in named["event"] if day.year == year]


def test_a_pay_day_is_a_rule_that_knows_weekends_and_holidays() -> None:
    assert days_in(["workday 5"], 2026)[:5] == ["01-07", "02-06", "03-06", "04-07", "05-07"]
    # 1 January, Good Friday (3 April) and 1 May are holidays in Brazil
    assert days_in(["workday 5"], 2026, holidays="BR")[:5] == ["01-08", "02-06", "03-06", "04-08", "05-08"]
    assert days_in(["workday -1"], 2026)[:2] == ["01-30", "02-27"]
    assert days_in(["day 20", "workday 1"], 2026)[:4] == ["01-01", "01-20", "02-02", "02-20"]


def test_a_month_without_such_a_day_has_none_and_the_last_one_is_in_each() -> None:
    assert days_in(["day 31"], 2026) == ["01-31", "03-31", "05-31", "07-31", "08-31", "10-31", "12-31"]
    assert len(days_in(["day -1"], 2026)) == 12
    assert days_in(["workday 23"], 2026) == ["07-31", "12-31"]


def test_days_of_each_year_need_no_year_and_may_last_into_the_next() -> None:
    assert days_in(["11-30", "12-20", "2026-05-02"], 2026) == ["05-02", "11-30", "12-20"]
    assert days_in(["12-30/01-02"], 2026) == ["01-01", "01-02", "12-30", "12-31"]
    assert [days_in(["02-29"], year) for year in (2027, 2028)] == [[], ["02-29"]]
    assert [days_in(["02-28/02-29"], year) for year in (2027, 2028)] == [["02-28"], ["02-28", "02-29"]]
    assert days_in(["02-29/03-02"], 2027) == ["03-01", "03-02"]


@given(
    place=st.integers(1, 23),
    year=st.integers(1990, 2060),
    closed=st.sets(st.dates(BEGIN, date(2024, 12, 31)), max_size=9),
)
def test_a_workday_is_found_from_both_ends_of_a_month(place: int, year: int, closed: set[date]) -> None:
    for day in event_days(f"workday {place}", [year], closed):
        later = [
            date(year, day.month, other) for other in range(day.day, 32) if _is_workday(year, day.month, other, closed)
        ]
        assert later[0] == day
        assert day in set(event_days(f"workday -{len(later)}", [year], closed))


def _is_workday(year: int, month: int, day: int, closed: set[date]) -> bool:
    try:
        moment = date(year, month, day)
    except ValueError:
        return False
    return moment.weekday() < 5 and moment not in closed
