"""A plan of known covariates covers a period only with a value, and what the history does not know is told."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlspec.errors import DataError
from mlspec.forecast.plan_coverage import find_twins
from tests.jobs.pipeline import Pipeline

START = date(2024, 1, 1)
AHEAD = ("2024-02-12", "2024-02-13")


def planned(root: Path, plan: str, *, column: str = "price", values: tuple[str, ...] = ("5", "6")) -> dict[str, Any]:
    """The facts of a check: shop 1 with six weeks of history, and this plan for two days."""
    days = [START + timedelta(days=number) for number in range(42)]
    rows = [f"1,{day},{3 + day.day},{values[day.day % len(values)]}" for day in days]
    run = Pipeline(root).data("\n".join([f"shop,day,units,{column}", *rows, ""])).data(plan, "plan.csv")
    run.spec["dataset"] |= {
        "covariates": {"known": [column], "past": [], "static": []}, "future": {"uri": "data/plan.csv"},
    }  # fmt: skip
    return run.check()


def future(facts: dict[str, Any]) -> dict[str, Any]:
    (found,) = [check for check in facts["checks"] if check["check"] == "future"]
    return dict(found)


def test_a_row_without_a_value_covers_nothing(tmp_path: Path) -> None:
    check = future(planned(tmp_path, f"day,price\n{AHEAD[0]},5\n{AHEAD[1]},\n"))
    assert (check["ok"], check["message"]) == (False, "price has no value in 1 of its periods")
    assert check["examples"] == [AHEAD[1]]


def test_an_absent_row_and_an_empty_value_are_both_told(tmp_path: Path) -> None:
    check = future(planned(tmp_path, f"shop,day,price\n1,{AHEAD[1]},\n"))
    assert check["message"] == "the plan lacks 1 periods of the horizon; price has no value in 1 of its periods"
    assert check["examples"] == [f"series '1': {day}" for day in AHEAD]


@pytest.mark.parametrize(("values", "ok"), [(("base", "sale"), False), (("", "sale"), True)])
def test_a_text_may_be_empty_if_the_history_has_it_so(tmp_path: Path, values: tuple[str, ...], *, ok: bool) -> None:
    plan = f"day,promo\n{AHEAD[0]},sale\n{AHEAD[1]},\n"
    assert future(planned(tmp_path, plan, column="promo", values=values))["ok"] is ok


def test_rows_by_a_part_of_a_series_name_are_refused(tmp_path: Path) -> None:
    days = [START + timedelta(days=number) for number in range(42)]
    rows = [f"{shop},x,{day},{3 + day.day},{day.day % 2}" for shop in "ab" for day in days]
    run = Pipeline(tmp_path).data("\n".join(["shop,item,day,units,promo", *rows, ""]))
    run.data("\n".join(["shop,day,promo", *(f"{shop},{day},1" for shop in "ab" for day in AHEAD), ""]), "plan.csv")
    run.spec["dataset"] |= {
        "series": ["shop", "item"], "covariates": {"known": ["promo"], "past": [], "static": []},
        "future": {"uri": "data/plan.csv"},
    }  # fmt: skip
    with pytest.raises(DataError, match="the plan has rows by 'shop' and no column 'item'"):
        run.check()
    run.data("\n".join(["day,promo", *(f"{day},1" for day in AHEAD), ""]), "plan.csv")
    assert run.check()["ok"]


def test_a_text_that_the_history_does_not_know_is_told(tmp_path: Path) -> None:
    plan = f"day,promo\n{AHEAD[0]},sale\n{AHEAD[1]},black friday\n"
    facts = planned(tmp_path, plan, column="promo", values=("base", "sale"))
    assert facts["ok"]
    assert facts["notes"] == [
        "promo is 'black friday' in the plan and never in the history: a model takes it for a missing value"
    ]


def test_a_series_that_the_history_does_not_know_is_told(tmp_path: Path) -> None:
    rows = [f"{shop},{day},5" for shop in ("1", "X") for day in AHEAD]
    facts = planned(tmp_path, "\n".join(["shop,day,price", *rows, ""]))
    assert facts["ok"]
    assert facts["notes"] == ["1 series of the plan are in no row of the history, and are not used: 'X'"]


def test_keys_that_are_one_number_are_named_where_the_plan_lacks_a_series(tmp_path: Path) -> None:
    check = future(planned(tmp_path, "shop,day,price\n" + "".join(f"1.0,{day},5\n" for day in AHEAD)))
    assert not check["ok"]
    assert "'1' of the history and '1.0' of the plan may be one series" in check["message"]


def test_keys_of_the_history_that_are_one_number_are_told(tmp_path: Path) -> None:
    days = [START + timedelta(days=number) for number in range(42)]
    rows = [f"{shop},{day},{3 + day.day}" for shop in ("7", "7.0") for day in days]
    run = Pipeline(tmp_path).data("\n".join(["shop,day,units", *rows, ""]))
    (said,) = run.check()["notes"]
    assert said.startswith(
        "series that differ only in capitals, accents, spaces or how a number is written are taken for"
    )
    assert said.endswith("different ones: '7' and '7.0'")


@pytest.mark.parametrize(("names", "twins"), [
    (["1", "1.0", "2"], [("1", "1.0")]),
    (["01", "1"], [("01", "1")]),
    (["São Paulo/Café", "SAO PAULO/Cafe ", "Sao  Paulo/cafe", "São Paulo/Chá"],
     [("São Paulo/Café", "SAO PAULO/Cafe ", "Sao  Paulo/cafe")]),
    (["1/a", "1.0/a", "1/b"], [("1/a", "1.0/a")]),
    (["a", "A"], [("a", "A")]),
    (["1.5", "1", "a", "a1"], []),
])  # fmt: skip
def test_names_that_are_written_differently(names: list[str], twins: list[tuple[str, ...]]) -> None:
    assert find_twins(names) == twins
