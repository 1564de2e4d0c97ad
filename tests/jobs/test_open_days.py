"""A closed day is no period: it is neither filled, scored nor forecast."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlspec.errors import DataError
from mlspec.forecast.open_days import dataset_frequency
from mlspec.spec.dataset import Dataset
from tests.jobs.pipeline import Pipeline
from tests.jobs.test_aggregate import daily
from tests.jobs.test_row_meaning import checked, panel

SIX = ["MON", "TUE", "WED", "THU", "FRI", "SAT"]
TREES = {"kind": "gradient-boosting", "lags": [1, 2, 6], "iterations": 5}


def forecast(run: Pipeline) -> pd.DataFrame:
    scores = run.run("backtest", incumbent=None)
    run.run("train", candidate=scores["champion_candidate"])
    run.run("forecast", version="v1")
    return pd.read_parquet(run.files["forecast"])


def frequency(alias: str, **calendar: Any) -> Any:
    values = {"source": {"uri": "x.csv"}, "time": "day", "target": "units", "frequency": alias, "calendar": calendar}
    return dataset_frequency(Dataset.model_validate(values))


@pytest.mark.parametrize("candidate", [
    {"kind": "seasonal-naive"}, {"kind": "auto-ets"}, {"kind": "theta"}, {"kind": "croston"}, TREES,
])  # fmt: skip
def test_a_shop_that_is_closed_on_sundays_has_no_sunday_anywhere(tmp_path: Path, candidate: dict[str, Any]) -> None:
    run = checked(tmp_path, daily(41, closed=(6,)), calendar={"open": SIX})
    run.spec["model"] |= {
        "candidates": [candidate],
        "horizon": 8,
        "backtest": {**run.spec["model"]["backtest"], "step": 6},
    }
    run.check()
    frame = panel(run)
    assert frame["observed"].all()
    rows = forecast(run)
    days = sorted(set(rows["day"]))
    assert [f"{day:%Y-%m-%d %a}" for day in days[:2]] == ["2024-02-12 Mon", "2024-02-13 Tue"]
    assert len(days) == 8
    assert all(day.dayofweek != 6 for day in days)
    backtest = pd.read_parquet(run.files["backtest"])
    assert backtest["y"].notna().all()


def test_the_season_is_a_week_of_open_days(tmp_path: Path) -> None:
    run = checked(tmp_path, daily(41, closed=(6,)), calendar={"open": SIX})
    run.spec["model"] |= {"candidates": [{"kind": "seasonal-naive"}], "horizon": 6}
    run.check()
    rows = forecast(run)
    assert list(rows.loc[rows["shop"] == "a", "mean"]) == [1, 2, 3, 4, 5, 6]


@settings(max_examples=20)
@given(
    closed=st.sets(st.integers(0, 6), min_size=1, max_size=5),
    shut=st.sets(st.integers(0, 60), max_size=5),
)
def test_rows_of_closed_days_that_say_nothing_was_sold_change_nothing(closed: set[int], shut: set[int]) -> None:
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(42)]
    dates = [(date(2024, 1, 1) + timedelta(days=number)).isoformat() for number in sorted(shut)]
    calendar = {"open": [name for place, name in enumerate([*SIX, "SUN"]) if place not in closed], "closed": dates}
    is_open = [day.weekday() not in closed and day.isoformat() not in dates for day in days]
    sales = [f"a,{day},{5 + day.day}" for day, there in zip(days, is_open, strict=True) if there]
    zeros = [f"a,{day},{'0' if day.day % 2 else ''}" for day, there in zip(days, is_open, strict=True) if not there]
    assume(len(sales) > 1)
    head = "shop,day,units"
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        one = panel(checked(Path(first), "\n".join([head, *sales, ""]), calendar=calendar))
        other = panel(checked(Path(second), "\n".join([head, *sales, *zeros, ""]), calendar=calendar))
    pd.testing.assert_frame_equal(one, other)


def test_a_sale_on_a_closed_day_is_refused_with_its_row(tmp_path: Path) -> None:
    run = checked(tmp_path, daily(42), calendar={"open": SIX})
    (broken,) = [check for check in run.facts["check"]["checks"] if not check["ok"]]
    assert broken["message"].startswith("12 rows have a value on a day that dataset.calendar closes")
    assert broken["examples"][0] == "sales.csv row 8: 2024-01-07 (Sunday)"


def test_rows_of_closed_days_that_are_left_out_are_told(tmp_path: Path) -> None:
    text = daily(41, closed=(6,)) + "a,2024-01-07,0\na,2024-01-14,\n"
    run = checked(tmp_path, text, calendar={"open": SIX})
    assert run.facts["check"]["notes"] == ["2 rows of closed days are left out: their value is 0 or empty"]


def test_transactions_of_open_days_are_added_up_by_day(tmp_path: Path) -> None:
    run = checked(tmp_path, daily(41, closed=(6,)) + "a,2024-01-02,8\n", calendar={"open": SIX}, aggregate="sum")
    frame = panel(run).set_index(["unique_id", "ds"])
    assert frame.loc[("a", pd.Timestamp("2024-01-02")), "y"] == 10


def test_public_holidays_and_closed_dates_are_no_business_days() -> None:
    business = frequency("B", holidays="BR", closed=["2024-12-24"])
    ahead = business.periods_after(pd.Timestamp("2024-12-20"), 4)
    assert [str(day.date()) for day in ahead] == ["2024-12-23", "2024-12-26", "2024-12-27", "2024-12-30"]
    region = frequency("D", holidays="BR-SP")
    assert pd.Timestamp("2024-07-09") not in pd.date_range("2024-07-01", "2024-07-31", freq=region.offset)


def test_a_country_without_holidays_is_told() -> None:
    with pytest.raises(DataError, match="no holidays of 'BR-QQ' are known"):
        frequency("D", holidays="BR-QQ")
    with pytest.raises(DataError, match="no holidays of 'QQ' are known"):
        frequency("D", holidays="QQ")


def test_an_open_day_ends_in_the_night_also_before_a_closed_one() -> None:
    saturday = pd.Timestamp("2024-01-06")
    assert frequency("D", open=SIX).period_end(saturday) == pd.Timestamp("2024-01-07")
