"""The frequency that dates have is found, so that a message can name it."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.date_frequency import anchor_frequency, find_frequency

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
ALIASES = (
    "D", "B", "h", "15min", "MS", "ME", "QS", "QE", "QE-JAN", "QE-FEB", "QS-FEB", "QS-MAR", "YE", "YS", "YE-MAR",
    *(f"W-{day}" for day in DAYS),
)  # fmt: skip


@given(alias=st.sampled_from(ALIASES), start=st.dates(date(1990, 1, 1), date(2040, 1, 1)), gap=st.integers(2, 5))
def test_the_dates_of_a_frequency_belong_to_it_also_with_a_gap(alias: str, start: date, gap: int) -> None:
    periods = pd.date_range(start, periods=40, freq=alias)
    assert find_frequency(periods) == alias
    assert find_frequency(periods.delete(gap)) == alias


@pytest.mark.parametrize(
    "dates", [["2024-01-01"], ["2024-01-01", "2024-01-08"], ["2024-01-01", "2024-01-09", "2024-05-17"], []]
)
def test_few_dates_and_dates_of_no_frequency_have_none(dates: list[str]) -> None:
    assert find_frequency(pd.Series(pd.to_datetime(dates))) is None


@pytest.mark.parametrize(("base", "day", "alias"), [
    ("W", "2024-01-07", "W-SUN"), ("QE", "2024-04-30", "QE-JAN"), ("QE", "2024-03-31", "QE"), ("QS", "2024-04-01", "QS"),
    ("QS", "2024-03-01", "QS-MAR"), ("YE", "2024-06-30", "YE-JUN"), ("YS", "2024-01-01", "YS"), ("MS", "2024-02-01", "MS"),
])  # fmt: skip
def test_an_anchor_is_that_of_a_date(base: str, day: str, alias: str) -> None:
    assert anchor_frequency(base, pd.Timestamp(day)) == alias
