"""What a covariate is worth to a model: the rise of its error once the covariate tells nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlspec.forecast.candidates import ChosenCandidate, choose_members
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Layout, Panel
from mlspec.forecast.frequency import parse_frequency
from mlspec.forecast.importance import Importances, measure_importances
from mlspec.forecast.workers import THIS_PROCESS
from mlspec.spec.candidates import GradientBoosting, Regression, SeasonalNaive

DAYS = pd.date_range("2024-01-01", periods=70)
LAYOUT = Layout(parse_frequency("D"), 7, 7, ("x_promo", "x_moon"), ("x_visits",), ("x_size",))
TREES = GradientBoosting(kind="gradient-boosting", lags=(1, 7), iterations=20)
REGRESSION = Regression(kind="regression")


def panel() -> Panel:
    """Six shops: promotions triple sales, large shops sell ten times as much, visits and the moon tell nothing."""
    chance = np.random.default_rng(3)
    promo = (chance.random(len(DAYS)) < 0.3).astype("float64")
    parts = []
    for number in range(6):
        size = 10.0 if number % 2 else 1.0
        units = size * (20 + DAYS.dayofweek.to_numpy()) * (1 + 2 * promo)
        parts.append(pd.DataFrame({
            ID: f"s{number}", TIME: DAYS, TARGET: units, OBSERVED: True, "x_promo": promo, "x_moon": chance.normal(size=len(DAYS)),
            "x_visits": chance.normal(size=len(DAYS)),
        }))  # fmt: skip
    rows = pd.concat(parts, ignore_index=True)
    series = pd.DataFrame({ID: [f"s{number}" for number in range(6)], "x_size": ["small", "large"] * 3})
    return Panel(rows, series, rows[[ID, TIME, "x_promo", "x_moon"]][:0], LAYOUT)


def measured(chosen: ChosenCandidate) -> Importances:
    (whole,) = measure_importances(panel(), [DAYS[-15], DAYS[-8]], chosen, 0, THIS_PROCESS, lambda *_: None)
    return whole


def test_a_covariate_is_worth_what_the_series_of_a_segment_owe_to_it() -> None:
    """Where promotions move three shops alone, they are worth nothing to the others."""
    shops = panel()
    plain = shops.frame["x_promo"].eq(1) & shops.frame[ID].isin(["s0", "s2", "s4"])
    frame = shops.frame.assign(**{TARGET: shops.frame[TARGET].where(~plain, shops.frame[TARGET] / 3)})
    sizes = shops.series.set_index(ID)["x_size"]
    found = measure_importances(
        replace(shops, frame=frame), [DAYS[-15], DAYS[-8]], ChosenCandidate(REGRESSION), 0, THIS_PROCESS, lambda *_: None, sizes
    )  # fmt: skip
    assert [segment.segment for segment in found] == ["large", "small"]
    rises = [(segment.covariates[0].metrics["wape"] or 0.0) - (segment.metrics["wape"] or 0.0) for segment in found]
    assert rises[0] > 0.15
    assert abs(rises[1]) < 0.02


@pytest.mark.parametrize("chosen", [ChosenCandidate(REGRESSION), choose_members("both", "mean", [REGRESSION, TREES])])
def test_what_sales_follow_is_worth_most_and_what_tells_nothing_is_worth_nothing(chosen: ChosenCandidate) -> None:
    found = measured(chosen)
    base = found.metrics["wape"] or 0.0
    rises = {each.covariate: (each.metrics["wape"] or 0.0) - base for each in found.covariates}
    assert [(each.covariate, each.kind) for each in found.covariates] == [
        ("promo", "known"), ("moon", "known"), ("visits", "past"), ("size", "static"),
    ]  # fmt: skip
    assert rises["promo"] > 0.15
    assert abs(rises["moon"]) < 0.05
    assert abs(rises["visits"]) < 0.05


def test_a_model_without_covariates_owes_them_nothing() -> None:
    found = measured(ChosenCandidate(SeasonalNaive(kind="seasonal-naive")))
    assert {each.metrics["wape"] for each in found.covariates} == {found.metrics["wape"]}


def test_the_same_seed_measures_the_same() -> None:
    assert measured(ChosenCandidate(REGRESSION)) == measured(ChosenCandidate(REGRESSION))
