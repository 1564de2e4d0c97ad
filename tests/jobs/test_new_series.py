"""A series that is too new for a model: what the spec says that it gets, scored as a planner will see it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlspec.plan.series_fates import fate_sentences, find_fate
from tests.jobs.pipeline import Pipeline
from tests.jobs.test_predictions import NAIVE, answered, asked, told, versions, written

START = date(2024, 1, 1)  # a Monday
COLD: dict[str, Any] = {"new_series": "cold-start"}
WEEK = (10, 20, 30, 40, 50, 80, 0)


def shop(name: str, factor: float, days: range, kind: str = "") -> list[str]:
    """Rows of a shop that sells `factor` times the week of all shops."""
    return [f"{name},{START + timedelta(days=day)},{factor * WEEK[day % 7]:g}{kind and f',{kind}'}" for day in days]


def table(*shops: list[str], columns: str = "shop,day,units") -> str:
    return "\n".join([columns, *(row for rows in shops for row in rows), ""])


def means(run: Pipeline, name: str) -> list[float]:
    frame = pd.read_parquet(run.files["forecast"])
    return [round(float(value), 6) for value in frame.loc[frame["shop"] == name, "mean"]]


def methods(run: Pipeline) -> dict[str, str]:
    frame = pd.read_parquet(run.files["forecast"])
    return dict(zip(frame["shop"], frame["method"], strict=True))


def whole(root: Path, text: str, **dataset: Any) -> Pipeline:
    root.mkdir(exist_ok=True)
    return Pipeline(root, dataset=dataset, model={"horizon": 4}).data(text).whole()


def test_a_new_series_gets_its_share_of_the_others_with_their_week(tmp_path: Path) -> None:
    text = table(shop("a", 1, range(42)), shop("b", 3, range(42)), shop("new", 2, range(40, 42)))  # Saturday, Sunday
    run = whole(tmp_path / "cold", text, **COLD)
    assert means(run, "new") == [20, 40, 60, 80]  # half of what a and b sell on Monday to Thursday
    assert methods(run) == {"a": "model", "b": "model", "new": "cold-start"}
    usual = whole(tmp_path / "usual", text)
    assert means(usual, "new") == [0, 0, 0, 0]  # its last value, a Sunday's
    assert means(run, "a") == means(usual, "a")


def test_siblings_share_static_columns_and_all_are_taken_where_none_is_old_enough(tmp_path: Path) -> None:
    rows = [
        shop("a", 1, range(42), "city"),
        [f"b,{START + timedelta(days=day)},70,rural" for day in range(42)],
        shop("c", 2, range(39, 42), "city"),
        [f"d,{START + timedelta(days=day)},7,rural" for day in range(39, 42)],
        [f"e,{START + timedelta(days=day)},34,port" for day in range(39, 42)],
    ]
    run = whole(
        tmp_path, table(*rows, columns="shop,day,units,kind"),
        covariates={"known": [], "past": [], "static": ["kind"]}, **COLD,
    )  # fmt: skip
    assert means(run, "c") == [20, 40, 60, 80]
    assert means(run, "d") == [7, 7, 7, 7]
    share = 3 * 34 / (50 + 80 + 0 + 3 * 70)
    assert means(run, "e") == [round(share * (70 + units), 6) for units in WEEK[:4]]


@pytest.mark.parametrize("others", [[], shop("a", 0, range(42))], ids=["nobody", "others who sell nothing"])
def test_without_siblings_that_sell_it_is_the_mean_of_its_own_values(tmp_path: Path, others: list[str]) -> None:
    first = 42 - 7
    text = table(
        others,
        [
            f"n,{START + timedelta(days=day)},{value}"
            for day, value in zip(range(first, 42), (3, 5, 7, 9, 3, 3, 5), strict=True)
        ],
    )
    run = Pipeline(tmp_path, dataset=COLD, model={"backtest": {"windows": 1, "step": 2}}).data(text).whole()
    assert means(run, "n") == [5, 5]


def test_the_backtest_scores_cold_starts_and_says_so(tmp_path: Path) -> None:
    text = table(shop("a", 1, range(42)), shop("b", 3, range(42)), shop("new", 2, range(34, 42)))
    run = whole(tmp_path / "some", text, **COLD)
    rows = pd.read_parquet(run.files["backtest"])
    cold = rows[rows["method"] == "cold-start"]
    assert set(cold["unique_id"]) == {"new"}
    assert cold["mean"].to_numpy() == pytest.approx(cold["y"].to_numpy())  # it is half of the others, exactly
    (note,) = run.facts["backtest"]["notes"]
    assert note == "8 values of 1 series that were new at a cutoff are scored as cold starts: WAPE 0.0%"
    old = whole(tmp_path / "none", table(shop("a", 1, range(42))), **COLD)
    assert old.facts["backtest"]["notes"] == [
        "no series was new at a cutoff of the backtest: its scores say nothing of cold starts"
    ]


@pytest.mark.parametrize("candidate", [NAIVE, {"kind": "gradient-boosting", "iterations": 20}], ids=["naive", "trees"])
def test_the_same_bytes_whoever_computed_them(tmp_path: Path, candidate: dict[str, Any]) -> None:
    text = table(
        shop("a", 1, range(42)), shop("b", 3, range(42)), shop("gone", 3, range(20)), shop("new", 2, range(40, 42))
    )
    run = versions(tmp_path, text, [candidate, {"kind": "croston"}], dataset={**COLD, "ended_series": "zero"})
    for traffic in ({"v1": 100}, {"v1": 40, "v2": 60}):
        usual = written(run, traffic=traffic)
        lines = answered(run, asked(run, traffic))
        assert sum('"method": "cold-start"' in line for line in lines) == 1
        told(run, lines)
        assert written(run, traffic=traffic) == usual
        del run.files["predictions-0"]


def test_a_forecast_for_a_past_moment_starts_cold_what_was_new_then(tmp_path: Path) -> None:
    text = table(shop("a", 1, range(42)), shop("new", 2, range(30, 42)))
    run = whole(tmp_path, text, **COLD)
    assert methods(run)["new"] == "model"
    run.run("forecast", version="v1", as_of="2024-02-02T06:00:00Z")  # three days after it began
    assert methods(run)["new"] == "cold-start"


def test_no_forecast_is_one_of_the_choices(tmp_path: Path) -> None:
    text = table(shop("a", 1, range(42)), shop("new", 2, range(40, 42)))
    run = whole(tmp_path, text, new_series="no-forecast")
    frame = pd.read_parquet(run.files["forecast"])
    assert set(frame["shop"]) == {"a"}
    assert "method" not in frame
    said = "1 series is new, and has no forecast: 'new' (since 2024-02-10)"
    assert fate_sentences(run.facts["check"]) == (said,)
    assert find_fate(run.facts["check"], ["new"]) == said


def test_where_every_series_is_new_the_data_check_says_so(tmp_path: Path) -> None:
    run = Pipeline(tmp_path, dataset={"new_series": "no-forecast"}).data(table(shop("new", 2, range(36, 42))))
    facts = run.check()
    (broken,) = [check for check in facts["checks"] if not check["ok"]]
    assert (
        broken["message"] == "no series has 8 periods yet, and dataset.new_series says that new ones are not forecast"
    )


def test_it_is_said(tmp_path: Path) -> None:
    run = Pipeline(tmp_path, dataset=COLD).data(table(shop("a", 1, range(42)), shop("new", 2, range(40, 42))))
    said = "1 series is new, and gets a share of the others' forecast (cold start): 'new' (since 2024-02-10)"
    assert fate_sentences(run.check()) == (said,)
