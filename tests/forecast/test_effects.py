"""Promotions, prices and seasons are taken out of a series before it is forecast, and put back for the horizon."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.backtest import forecast_means
from mlspec.forecast.candidates import fit_candidate
from mlspec.forecast.effects import covariate_values, estimate_series
from mlspec.forecast.frame import ID, MEAN, OBSERVED, TARGET, TIME, Layout, Panel, horizon_frame
from mlspec.forecast.frequency import parse_frequency
from mlspec.jobs.runtime import single_threaded
from mlspec.spec.candidates import AutoArima, AutoCes, AutoEts, Mstl, Regression, Theta

WEEKS, HORIZON = 130, 8


CHANCE = np.random.default_rng(3)
PROMOTED = (CHANCE.random(WEEKS + HORIZON) < 0.2).astype("float64")
NOISE = CHANCE.normal(1, 0.03, WEEKS)


def promotions(*, product: bool = True, ahead: float = 1.0) -> Panel:
    """A series with a yearly season whose promotions add half, or a fixed amount; the horizon is all promoted, or not."""
    weeks = pd.date_range("2022-01-07", periods=WEEKS, freq="W-FRI")
    season = 100 + 30 * np.sin(2 * np.pi * np.arange(WEEKS) / 52.18)
    units = season * NOISE * (1 + 0.5 * PROMOTED[:WEEKS]) if product else season * NOISE + 40 * PROMOTED[:WEEKS]
    frame = pd.DataFrame({ID: "s", TIME: weeks, TARGET: units, OBSERVED: True, "x_promotion": PROMOTED[:WEEKS]})
    layout = Layout(parse_frequency("W-FRI"), HORIZON, 52, known=("x_promotion",))
    bare = Panel(frame, pd.DataFrame({ID: ["s"]}), frame[[ID, TIME]][:0], layout)
    return Panel(frame, bare.series, horizon_frame(bare).assign(x_promotion=ahead), layout)


@pytest.mark.parametrize("candidate", [
    AutoEts(kind="auto-ets"), AutoCes(kind="auto-ces"), AutoArima(kind="auto-arima"), Theta(kind="theta"),
    Mstl(kind="mstl", season=(52,)), Regression(kind="regression"),
], ids=lambda candidate: candidate.kind)  # fmt: skip
def test_statistical_candidates_know_what_a_promotion_does(candidate: Any) -> None:
    def forecast(ahead: float) -> pd.Series:
        panel = promotions(ahead=ahead)
        with single_threaded():  # as in a step, what libraries warn of is not for people
            return forecast_means(fit_candidate(candidate, panel, 0), panel, candidate.label)[MEAN]

    ratio = forecast(1.0) / forecast(0.0)
    assert ratio.between(1.4, 1.6).all()  # half more, as in the history


def test_one_that_is_told_to_leave_covariates_out_does() -> None:
    candidate = AutoEts(kind="auto-ets", covariates=False)
    made = [
        forecast_means(fit_candidate(candidate, panel, 0), panel, "auto-ets")[MEAN]
        for panel in (promotions(ahead=1.0), promotions(ahead=0.0))
    ]
    assert made[0].equals(made[1])


@pytest.mark.parametrize("product", [True, False])
def test_a_product_is_told_from_a_sum(product: bool) -> None:
    values = promotions(product=product).frame[TARGET].to_numpy()
    effects = estimate_series(values, PROMOTED[:WEEKS, None], PROMOTED[WEEKS:, None], (52.18,), None)
    assert effects.is_product == product
    size = effects.known.max() - effects.known.min()
    assert size == pytest.approx(np.log(1.5) if product else 40, rel=0.15)


def test_a_covariate_that_did_not_vary_has_no_effect() -> None:
    values = promotions().frame[TARGET].to_numpy()
    effects = estimate_series(values, np.ones((WEEKS, 1)), np.zeros((HORIZON, 1)), (52.18,), None)
    assert not effects.known.any()


def test_a_period_without_a_row_has_the_price_of_its_own_series() -> None:
    weeks = pd.date_range("2024-01-05", periods=40, freq="W-FRI")
    prices = {"cheap": np.full(40, 2.0), "dear": np.where(np.arange(40) % 2, 80.0, 120.0)}
    prices["cheap"][[5, 20]] = np.nan  # nothing was sold: no row says what it cost
    frame = pd.concat([
        pd.DataFrame({ID: name, TIME: weeks, TARGET: 10.0, OBSERVED: True, "x_price": values})
        for name, values in prices.items()
    ], ignore_index=True)  # fmt: skip
    layout = Layout(parse_frequency("W-FRI"), HORIZON, 52, known=("x_price",))
    bare = Panel(frame, pd.DataFrame({ID: list(prices)}), frame[[ID, TIME]][:0], layout)
    history, _ahead = covariate_values(replace(bare, future=horizon_frame(bare).assign(x_price=2.0)))
    assert set(history[:40, 0]) == {2.0}  # not the mean of both products


def test_a_value_beyond_those_of_the_history_has_the_effect_of_the_nearest() -> None:
    values = promotions().frame[TARGET].to_numpy()
    made = [
        estimate_series(values, PROMOTED[:WEEKS, None], np.full((HORIZON, 1), ahead), (52.18,), None).put_back(
            np.full(HORIZON, 100.0), waves=False
        )
        for ahead in (1.0, 1e6)  # a slip of the planner's
    ]
    np.testing.assert_array_equal(made[0], made[1])


def test_a_promotion_that_was_seen_once_counts_half_of_what_it_seemed_to_do() -> None:
    once = np.zeros(WEEKS + HORIZON)
    once[[60, WEEKS]] = 1
    values = 100 + CHANCE.normal(0, 1, WEEKS) + 200 * once[:WEEKS]
    effects = estimate_series(values, once[:WEEKS, None], once[WEEKS:, None], (), None)
    seen = effects.put_back(np.full(HORIZON, 100.0), waves=False)
    assert 30 < seen[0] - seen[1] <= 110


@given(
    values=st.lists(st.floats(0, 1e6), min_size=12, max_size=60),
    seed=st.integers(0, 1000),
    waves=st.booleans(),
)
def test_what_was_taken_out_of_the_history_is_what_is_put_back(values: list[float], seed: int, waves: bool) -> None:
    chance, count = np.random.default_rng(seed), len(values)
    covariates = chance.random((2 * count, 1)).round()
    series = np.array(values)
    effects = estimate_series(series, covariates[:count], covariates[count:], (7.0,), None)
    turned = replace(
        effects, known=effects.known[::-1], waves=effects.waves[::-1]
    )  # the history's effects as the horizon's
    rest = effects.take_out(series, waves=waves)
    np.testing.assert_allclose(turned.put_back(rest[::-1], waves=waves)[::-1], series, rtol=1e-6, atol=1e-6)
    assert np.isfinite(effects.put_back(series, waves=waves)).all()


def test_several_seasons_are_followed_at_once() -> None:
    hours = np.arange(24 * 7 * 5)
    night, sunday = (hours % 24 < 6) * -20.0, (hours // 24 % 7 == 6) * -40.0
    frame = pd.DataFrame({
        ID: "s", TIME: pd.date_range("2024-01-01", periods=len(hours), freq="h"), TARGET: 100 + night + sunday, OBSERVED: True,
    })  # fmt: skip
    history = frame[: 24 * 7 * 4]
    bare = Panel(history, pd.DataFrame({ID: ["s"]}), frame[[ID, TIME]][:0], Layout(parse_frequency("h"), 168, 24))
    panel = Panel(bare.frame, bare.series, horizon_frame(bare), bare.layout)
    assert panel.layout.frequency.seasons == (24, 168)
    errors = {
        candidate.kind: (
            forecast_means(fit_candidate(candidate, panel, 0), panel, candidate.label)[MEAN].to_numpy()
            - frame[TARGET].to_numpy()[-168:]
        )
        for candidate in (Mstl(kind="mstl"), AutoEts(kind="auto-ets"))
    }
    assert np.abs(errors["mstl"]).mean() < 2 < np.abs(errors["auto-ets"]).mean()
