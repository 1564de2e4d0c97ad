"""Holidays, pay days and school breaks as known covariates: nobody writes them into the data, and the forecast knows them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.jobs.pipeline import Pipeline
from tests.jobs.test_open_days import forecast
from tests.jobs.test_row_meaning import checked, panel

BEGIN = date(2024, 1, 1)
TREES = {"kind": "gradient-boosting", "lags": [1, 2, 7], "iterations": 30}


def sales(days: int, busy: list[date]) -> str:
    """A row a day, of two shops: their place in the week and ten more, three times as much on busy days."""
    moments = [BEGIN + timedelta(days=number) for number in range(days)]
    rows = [f"{shop},{day},{(day.weekday() + 10) * (3 if day in busy else 1)}" for shop in "ab" for day in moments]
    return "\n".join(["shop,day,units", *rows, ""])


def trained(root: Path, busy: list[date], candidate: dict[str, Any], **covariates: Any) -> Pipeline:
    run = checked(root, sales(100, busy), covariates=covariates)
    run.spec["model"] |= {"candidates": [candidate], "horizon": 7}
    run.check()
    return run


@pytest.mark.parametrize("candidate", [{"kind": "regression"}, {"kind": "theta"}, TREES])
def test_a_pay_day_of_the_horizon_is_forecast_as_those_of_the_past_were(
    tmp_path: Path, candidate: dict[str, Any]
) -> None:
    paydays = [BEGIN + timedelta(days=number) for number in range(4, 110, 10)]
    run = trained(tmp_path, paydays, candidate, events={"payday": [str(day) for day in paydays]})
    frame = panel(run)
    assert set(frame.loc[frame["x_payday"] > 0, "ds"].dt.date) == {
        day for day in paydays if day < BEGIN + timedelta(days=100)
    }
    means = forecast(run).set_index(["shop", "day"])["mean"]
    busy = pd.Timestamp(paydays[10])  # the fifth day of the horizon
    for shop in "ab":
        others = means[shop].drop(busy)
        assert means[shop][busy] > 1.8 * others.max(), means[shop]


def test_a_holiday_of_the_country_is_a_covariate_by_itself(tmp_path: Path) -> None:
    run = trained(
        tmp_path, [], {"kind": "regression"}, holidays="BR", events={"school_break": ["2024-01-01/2024-02-05"]}
    )
    frame = panel(run)
    assert {str(day.date()) for day in frame.loc[frame["x_holidays"] > 0, "ds"]} == {"2024-01-01", "2024-03-29"}
    assert frame.loc[frame["x_school_break"] > 0, "ds"].nunique() == 36
    future = pd.read_parquet(run.files["future"])
    assert list(future) == ["unique_id", "ds", "x_holidays", "x_school_break"]
    assert not future.isna().any(axis=None)


def test_named_days_stand_beside_what_is_read_from_a_plan(tmp_path: Path) -> None:
    rows = sales(100, []).splitlines()
    text = "\n".join([f"{rows[0]},promo", *(f"{row},{number % 2}" for number, row in enumerate(rows[1:])), ""])
    plan = "\n".join(["day,promo", *(f"{BEGIN + timedelta(days=number)},1" for number in range(100, 107)), ""])
    (tmp_path / "plan.csv").write_text(plan)
    run = checked(
        tmp_path,
        text,
        covariates={"known": ["promo"], "events": {"payday": ["2024-04-12"]}},
        future={"uri": "plan.csv"},
    )
    run.spec["model"] |= {"candidates": [TREES], "horizon": 7}
    run.check()
    future = pd.read_parquet(run.files["future"]).set_index("ds")
    assert set(future["x_promo"]) == {1}
    assert set(future.index[future["x_payday"] > 0]) == {pd.Timestamp("2024-04-12")}
    assert len(forecast(run)) == 14
