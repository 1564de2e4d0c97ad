"""Levels of a hierarchy: sums that agree with their series, and quantiles that come from the errors of such sums."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlspec.forecast.levels import level_nodes
from mlspec.spec.hierarchy import Level
from tests.examples import sales
from tests.jobs.pipeline import Pipeline
from tests.jobs.test_predictions import CANARY, NAIVE, SHOPS, answered, asked, told, versions, written

START = date(2024, 1, 1)  # a Monday
REGIONS = {"a": "north", "b": "north", "c": "south", "d": "south", "e": "south"}
QUANTILES = ["q0.1", "q0.5", "q0.9"]


def rows(seed: int = 1, days: int = 70) -> str:
    """Shops that share their days: when one sells more than usual, so do the others of its region."""
    random = Random(seed)
    shared = {region: [random.gauss(0, 4) for _ in range(days)] for region in ("north", "south")}
    lines = ["shop,day,units,region"]
    for number, (shop, region) in enumerate(REGIONS.items(), 1):
        for day in range(days):
            units = 10 * number + 3 * (day % 7) + shared[region][day] + random.gauss(0, 1)
            lines.append(f"{shop},{START + timedelta(days=day)},{max(units, 0):.2f},{region}")
    return "\n".join([*lines, ""])


def pipeline(root: Path, text: str, hierarchy: Any = ("region",), **dataset: Any) -> Pipeline:
    return Pipeline(
        root,
        dataset={
            "hierarchy": list(hierarchy) if isinstance(hierarchy, tuple) else hierarchy,
            "covariates": {"known": [], "past": [], "static": ["region"]},
            **dataset,
        },
        model={"horizon": 10, "backtest": {"windows": 5, "step": 10}},
    ).data(text)


@cache
def whole() -> Pipeline:
    return pipeline(Path(mkdtemp()), rows()).whole()


def test_each_level_is_the_sum_of_its_series() -> None:
    run = whole()
    series, levels = pd.read_parquet(run.files["forecast"]), pd.read_parquet(run.files["levels"])
    assert list(levels.columns) == ["level", "region", "day", "cutoff", "mean", *QUANTILES]
    total = levels[levels["level"] == "total"]
    np.testing.assert_allclose(total["mean"], series.groupby("day")["mean"].sum(), rtol=1e-12)
    for region in ("north", "south"):
        shops = series[series["shop"].map(REGIONS) == region]
        level = levels[(levels["level"] == "region") & (levels["region"] == region)]
        np.testing.assert_allclose(level["mean"], shops.groupby("day")["mean"].sum(), rtol=1e-12)
    assert (levels["q0.1"] <= levels["q0.5"]).all()
    assert (levels["q0.5"] <= levels["q0.9"]).all()


def test_shops_that_share_their_days_even_out_less_in_a_sum_than_chance_says() -> None:
    """Regions miss independently, shops of one region do not: the total is surer than the sum of its shops' intervals."""
    run = whole()
    series, levels = pd.read_parquet(run.files["forecast"]), pd.read_parquet(run.files["levels"])

    def width(frame: pd.DataFrame) -> float:
        return float((frame["q0.9"] - frame["q0.1"]).sum())

    summed = width(series)
    total, north = width(levels[levels["level"] == "total"]), width(levels[levels["region"] == "north"])
    assert total < 0.9 * summed
    north_shops = width(series[series["shop"].map(REGIONS) == "north"])
    assert north > 0.6 * north_shops


def test_the_backtest_scores_each_level() -> None:
    scores = whole().facts["backtest"]["levels"]
    assert [(row["level"], row["series"]) for row in scores] == [("total", 1), ("region", 2)]
    assert all(0 < row["metrics"]["wape"] < 0.2 for row in scores)
    assert all(0.6 <= row["metrics"]["coverage"] <= 1 for row in scores)


def test_weeks_are_sums_of_days_and_begin_when_the_calendar_says(tmp_path: Path) -> None:
    series, weeks = (pd.read_parquet(whole().files[role]) for role in ("forecast", "weeks"))
    assert list(weeks.columns) == ["level", "region", "shop", "day", "days", "cutoff", "mean", *QUANTILES]
    shop = weeks[(weeks["level"] == "series") & (weeks["shop"] == "a")]
    days = series[series["shop"] == "a"]["mean"].to_numpy()
    assert list(shop["days"]) == [7, 3]
    assert list(shop["day"].dt.strftime("%a")) == ["Mon", "Mon"]
    np.testing.assert_allclose(shop["mean"], [days[:7].sum(), days[7:].sum()], rtol=1e-12)
    total = weeks[weeks["level"] == "total"]
    np.testing.assert_allclose(total["mean"].iloc[0], weeks[weeks["shop"].notna() & (weeks["days"] == 7)]["mean"].sum())
    assert (weeks["q0.1"] < weeks["q0.9"]).all()
    sunday = pipeline(tmp_path, rows(), calendar={"week_start": "SUN"}).whole()
    weeks = pd.read_parquet(sunday.files["weeks"])
    assert list(weeks.loc[weeks["level"] == "total", "days"]) == [6, 4]


def test_a_single_series_has_weeks_and_no_levels(tmp_path: Path) -> None:
    text = "\n".join(["day,units", *(f"{START + timedelta(days=day)},{5 + day % 7}" for day in range(42)), ""])
    run = Pipeline(tmp_path, dataset={"hierarchy": [], "series": []}, model={"horizon": 7}).data(text).whole()
    assert "levels" not in run.files
    weeks = pd.read_parquet(run.files["weeks"])
    assert list(weeks.columns) == ["level", "day", "days", "cutoff", "mean", *QUANTILES]
    assert weeks["mean"].tolist() == [5 * 7 + 21]


def test_an_ended_series_that_is_forecast_as_zero_is_part_of_its_sums(tmp_path: Path) -> None:
    old = "\n".join(f"z,{START + timedelta(days=day)},50,east" for day in range(20))
    run = pipeline(tmp_path, f"{rows()}{old}\n", ended_series="zero").whole()
    levels = pd.read_parquet(run.files["levels"])
    east = levels[levels["region"] == "east"]
    assert len(east) == 10
    assert (east[["mean", *QUANTILES]] == 0).all(axis=None)
    before = pd.read_parquet(whole().files["levels"])
    np.testing.assert_array_equal(
        levels.loc[levels["level"] == "total", QUANTILES], before.loc[before["level"] == "total", QUANTILES]
    )


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    again = pipeline(tmp_path, rows()).whole()
    for role in ("forecast", "levels", "weeks"):
        assert again.files[role].read_bytes() == whole().files[role].read_bytes()


@pytest.mark.parametrize("missing", [0.02, 0.3])
def test_a_sum_is_scored_where_enough_of_its_series_are_known(tmp_path: Path, missing: float) -> None:
    random = Random(7)
    kept = [line for line in rows().splitlines() if not line.startswith("a") or random.random() > missing]
    run = pipeline(
        tmp_path, "\n".join([*kept, ""]), checks={"completeness": {"min": 0.5}}, actuals={"min_coverage": 0.9}
    ).whole()
    levels = pd.read_parquet(run.files["levels"])
    assert levels[QUANTILES].notna().all(axis=None)
    south = next(row for row in run.facts["backtest"]["levels"] if row["level"] == "region")
    assert south["metrics"]["coverage"] is not None


def test_levels_with_forecasts_of_their_own_correct_the_series_and_all_agree(tmp_path: Path) -> None:
    run = pipeline(tmp_path, rows(), {"levels": ["region"], "reconcile": "mint-shrink"})
    run.spec["model"]["candidates"] = [{"kind": "theta", "season": 7}]
    run.spec["model"]["backtest"]["windows"] = 3
    run.whole()
    (note,) = run.facts["backtest"]["notes"]
    assert note.startswith("levels are reconciled by mint-shrink; WAPE in the backtest: series ")
    assert "(bottom-up " in note
    series, levels = pd.read_parquet(run.files["forecast"]), pd.read_parquet(run.files["levels"])
    total = levels[levels["level"] == "total"]
    np.testing.assert_allclose(total["mean"], series.groupby("day")["mean"].sum(), rtol=1e-12)
    tested = pd.read_parquet(run.files["backtest"])
    champion = tested[tested["champion"]]
    assert (champion["raw_mean"] != champion["base_mean"]).any()
    assert set(tested.loc[tested["candidate"] == "(levels)", "unique_id"]) == {
        "region:north", "region:south", "total:all series",
    }  # fmt: skip
    before = {role: run.files[role].read_bytes() for role in ("forecast", "levels", "weeks")}
    run.run("forecast", version="v1")
    assert {role: run.files[role].read_bytes() for role in before} == before
    run.spec["dataset"]["hierarchy"] = {"levels": ["region"], "reconcile": "bottom-up"}
    run.run("forecast", version="v1")
    assert not np.allclose(pd.read_parquet(run.files["forecast"])["mean"], series["mean"])


def test_levels_of_two_versions_are_the_same_whoever_computed_the_forecast(tmp_path: Path) -> None:
    """A batch prediction job's server answers by series: the step makes the levels of its answers."""
    run = versions(
        tmp_path, sales(60, shops=SHOPS), [NAIVE, {"kind": "croston"}], dataset={"hierarchy": [], "series": ["shop"]}
    )
    written(run, traffic=CANARY)
    usual = {role: run.files.pop(role).read_bytes() for role in ("levels", "weeks")}
    told(run, answered(run, asked(run, CANARY)))
    written(run, traffic=CANARY)
    assert {role: run.files[role].read_bytes() for role in usual} == usual


def test_the_column_of_a_level_may_have_any_name() -> None:
    columns = pd.DataFrame({"node": ["n", "s"]}, index=["a", "b"])
    assert level_nodes(Level("node", ("node",)), columns).names["node"].to_dict() == {"n": "n", "s": "s"}


def test_levels_that_are_not_the_widest_first_and_series_without_a_region_are_told(tmp_path: Path) -> None:
    text = rows().replace(",south", ",", 70)  # all rows of c
    for name in ("empty", "shop", "region"):
        (tmp_path / name).mkdir()
    notes = pipeline(tmp_path / "empty", text, ("shop", "region")).check()["notes"]
    assert notes == ["1 series has no value in the static column region: 'c'"]  # shop names each series: no level above
    shops = [line.split(",") for line in rows().splitlines()[1:]]
    products = "shop,product,day,units,region\n" + "".join(
        f"{shop},{product},{day},{units},{region}\n" for shop, day, units, region in shops for product in "xy"
    )
    for levels, count in ((("shop", "region"), 1), (("region", "shop"), 0)):
        run = pipeline(tmp_path / levels[0], products, levels, series=["shop", "product"])
        said = [note for note in run.check()["notes"] if "has the same sums as the level shop before it" in note]
        assert len(said) == count
