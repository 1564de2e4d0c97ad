"""Several rows of a series and period become one: transactions, and days that are forecast as weeks."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.forecast.aggregate import join_plan_rows, row_periods
from mlspec.forecast.frequency import ENDS_ON_ITS_DATE, parse_frequency
from mlspec.forecast.load import TypedRows
from tests.jobs.test_row_meaning import checked, panel

MONDAY = date(2024, 1, 1)
ALIASES = ["h", "6h", "D", "W-SUN", "W-WED", "2W-SUN", "MS", "ME", "QS", "QE-JAN", "YS", "YE"]


def daily(days: int, start: date = MONDAY, shops: tuple[str, ...] = ("a", "b"), closed: tuple[int, ...] = ()) -> str:
    """A row a day, on open weekdays only; each sells its place in the week and one more."""
    moments = [start + timedelta(days=number) for number in range(days)]
    rows = [f"{shop},{day},{day.weekday() + 1}" for shop in shops for day in moments if day.weekday() not in closed]
    return "\n".join(["shop,day,units", *rows, ""])


def weekly(root: Path, text: str, **dataset: Any) -> Any:
    return checked(root, text, **{"frequency": "W-SUN", "aggregate": "sum", **dataset})


@given(
    alias=st.sampled_from(ALIASES),
    times=st.lists(st.integers(0, 4 * 365 * 24 * 60), min_size=1, max_size=20),
)
def test_each_row_belongs_to_one_period_that_holds_it(alias: str, times: list[int]) -> None:
    frequency = parse_frequency(alias)
    moments = pd.Series(pd.Timestamp(2020, 1, 1) + pd.to_timedelta(times, unit="min"))
    for moment, period in zip(moments, row_periods(moments, frequency), strict=True):
        ends_on_it = frequency.base in ENDS_ON_ITS_DATE
        start = period - frequency.offset + pd.Timedelta(days=1) if ends_on_it else period
        assert start <= moment < frequency.period_end(period)


@settings(max_examples=20)
@given(sales=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 41), st.integers(1, 9)), min_size=5, max_size=60))
def test_transactions_mean_the_same_as_their_sums(sales: list[tuple[str, int, int]]) -> None:
    sales = [*sales, *(("a", day, 1) for day in range(42))]  # every day has a row, so that each week is complete
    rows = [(shop, MONDAY + timedelta(days=day), units) for shop, day, units in sales]
    sums: dict[tuple[str, date], int] = {}
    for shop, day, units in rows:
        sunday = day + timedelta(days=6 - day.weekday())
        sums[shop, sunday] = sums.get((shop, sunday), 0) + units
    text = "\n".join(["shop,day,units", *(",".join(map(str, row)) for row in rows), ""])
    added = "\n".join(["shop,day,units", *(f"{shop},{day},{units}" for (shop, day), units in sorted(sums.items())), ""])
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        one = panel(weekly(Path(first), text, missing="zero"))
        other = panel(checked(Path(second), added, missing="zero", frequency="W-SUN"))
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(("how", "expected"), [("sum", 28.0), ("mean", 4.0), ("last", 7.0)])
def test_a_spec_says_how(tmp_path: Path, how: str, expected: float) -> None:
    assert set(panel(weekly(tmp_path, daily(42), aggregate=how))["y"]) == {expected}


def test_half_a_week_at_either_end_is_no_week_and_is_told(tmp_path: Path) -> None:
    run = weekly(tmp_path, daily(42, start=date(2024, 1, 4)))
    frame = panel(run)
    assert (str(frame["ds"].min().date()), str(frame["ds"].max().date())) == ("2024-01-14", "2024-02-11")
    assert set(frame["y"]) == {28.0}
    assert run.facts["check"]["notes"] == [
        "the first period, 2024-01-07, is not complete: 8 rows of it are left out",
        "the newest period, 2024-02-18, is not complete: 6 rows of it are left out",
    ]


def test_a_week_of_a_shop_that_is_closed_on_sundays_is_complete(tmp_path: Path) -> None:
    run = weekly(tmp_path, daily(41, closed=(6,)))
    assert panel(run)["ds"].max() == pd.Timestamp("2024-02-11")
    assert run.facts["check"]["notes"] == []


def test_a_period_that_is_not_over_is_not_complete(tmp_path: Path) -> None:
    run = weekly(tmp_path, daily(43 + 6))  # the check is on Tuesday 2024-02-13, the data has all of that week
    assert panel(run)["ds"].max() == pd.Timestamp("2024-02-11")
    assert "the newest period, 2024-02-18, is not complete" in run.facts["check"]["notes"][0]


def test_a_sum_of_which_a_part_is_not_known_is_not_known(tmp_path: Path) -> None:
    run = weekly(tmp_path, daily(42).replace("a,2024-01-24,3", "a,2024-01-24,"))
    (gaps,) = [check for check in run.facts["check"]["checks"] if check["check"] == "gaps"]
    assert gaps["examples"] == ["series 'a' lacks 1, the first 2024-01-28"]


def test_what_is_wrong_with_a_row_is_said_of_the_row_as_the_file_has_it(tmp_path: Path) -> None:
    text = daily(42).replace("b,2024-01-24,3", "b,2024-01-24,-3")
    checks = {"range": {"units": {"min": 0, "max": None}}}
    facts = weekly(tmp_path, text, checks=checks).facts["check"]
    (broken,) = [check for check in facts["checks"] if check["check"] == "range"]
    assert broken["examples"] == ["sales.csv row 67: units -3 is below 0"]


def test_a_plan_of_days_is_a_plan_of_weeks_too(tmp_path: Path) -> None:
    rows = [line.split(",") for line in daily(42).splitlines()[1:]]
    text = "\n".join(["shop,day,units,promo", *(f"{shop},{day},{units},1" for shop, day, units in rows), ""])
    (tmp_path / "data").mkdir()
    ahead = [MONDAY + timedelta(days=42 + number) for number in range(14)]
    (tmp_path / "data/plan.csv").write_text(
        "\n".join(["day,promo", *(f"{day},{day.weekday() // 6}" for day in ahead), ""])
    )
    run = weekly(
        tmp_path, text, covariates={"known": ["promo"], "past": [], "static": []}, future={"uri": "data/plan.csv"}
    )
    panel(run)
    plan = pd.read_parquet(run.files["future"])
    assert list(plan.loc[plan["unique_id"] == "a", "x_promo"]) == pytest.approx([1 / 7, 1 / 7])


def test_rows_that_repeat_a_period_name_the_key_that_joins_them(tmp_path: Path) -> None:
    run = checked(tmp_path, daily(42) + "a,2024-01-24,5\n")
    (keys,) = [check for check in run.facts["check"]["checks"] if check["check"] == "keys"]
    assert "dataset.aggregate" in keys["message"]


def test_where_no_sum_is_known_the_check_says_so(tmp_path: Path) -> None:
    text = daily(28).replace(",7\n", ",\n")  # on Sundays nobody counted
    facts = weekly(tmp_path, text, checks={"freshness": {"max_age": "3d"}}).facts["check"]
    assert not facts["ok"]
    broken = [check["message"] for check in facts["checks"] if not check["ok"]]
    assert broken == ["no period has a sum: in each, 'units' is empty in a row"]


def planned(root: Path, plan: str) -> dict[str, Any]:
    """The check of the plan of known covariates, for the two weeks after four of history."""
    text = "\n".join(["shop,day,units,promo", *(f"{line},0" for line in daily(28).splitlines()[1:]), ""])
    (root / "data").mkdir()
    (root / "data/plan.csv").write_text(f"day,promo\n{plan}")
    known = {"covariates": {"known": ["promo"], "past": [], "static": []}, "future": {"uri": "data/plan.csv"}}
    (check,) = [check for check in weekly(root, text, **known).facts["check"]["checks"] if check["check"] == "future"]
    return dict(check)


@pytest.mark.parametrize(("days", "ok"), [(14, True), (13, False), (8, False)])
def test_the_first_days_of_a_week_in_a_plan_are_no_week(tmp_path: Path, days: int, *, ok: bool) -> None:
    start = MONDAY + timedelta(days=28)
    check = planned(tmp_path, "".join(f"{start + timedelta(days=number)},0\n" for number in range(days)))
    assert check["ok"] is ok
    assert check["examples"] == ([] if ok else ["2024-02-11"])


def test_months_in_a_plan_of_weeks_are_as_long_as_they_are() -> None:
    mondays = pd.Series(
        pd.date_range("2024-04-01", "2024-06-24", freq="W-MON")
    )  # the last is seven days before its month ends
    frame = pd.DataFrame({"unique_id": "a", "file": "plan.csv", "row": 1, "ds": mondays, "x_promo": 1.0})
    months = join_plan_rows(TypedRows(frame, pd.DataFrame(), len(frame), {}), parse_frequency("MS")).frame["ds"]
    assert list(months) == list(pd.date_range("2024-04-01", periods=3, freq="MS"))


def test_a_plan_that_cannot_be_read_is_refused_in_words(tmp_path: Path) -> None:
    assert planned(tmp_path, "soon,0\n")["message"] == "1 rows of the plan cannot be used"
