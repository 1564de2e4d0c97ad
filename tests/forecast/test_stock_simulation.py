"""Stock that is simulated on the actuals of the backtest reaches what was asked for, and knows nothing of them before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.forecast.stock.levels import stock_levels
from mlspec.forecast.stock.origins import Array, PastForecasts
from mlspec.forecast.stock.simulation import StockOutcome, held_out_errors, simulate_policies
from mlspec.forecast.stock.terms import order_terms
from mlspec.spec.inventory import Inventory

HORIZON, MEAN = 8, 20.0


def inventory(**words: Any) -> Inventory:
    return Inventory.model_validate({"service_level": 0.9, "lead_time": 1, "review_period": 2, **words})


def past(sigma: float, *, series: int = 60, windows: int = 5, seed: int = 0) -> PastForecasts:
    """Forecasts of 20 a period, and demand that is off by normal errors."""
    rows = series * windows
    errors = np.random.default_rng(seed).normal(0, sigma, (rows, HORIZON))
    return PastForecasts(
        np.repeat(np.arange(series), windows), np.tile(np.arange(windows), series), np.ones(rows),
        np.maximum(MEAN + errors, 0), np.full((rows, HORIZON), MEAN), np.ones(rows, dtype=bool),
    )  # fmt: skip


def outcomes(history: PastForecasts, **words: Any) -> dict[str, StockOutcome]:
    spec, count = inventory(**words), int(history.series.max()) + 1
    found = simulate_policies(history, order_terms(spec, pd.RangeIndex(count)), np.zeros(count, dtype="int64"), spec, 0)
    return {outcome.policy: outcome for outcome in found}


@pytest.mark.parametrize(
    "words", [{}, {"lead_time": 0}, {"lead_time": {"mean": 1.5, "sd": 0.7}}, {"review_period": 1}, {"pack_size": 12}]
)
def test_the_cycle_service_that_was_asked_for_is_reached(words: dict[str, Any]) -> None:
    reached = outcomes(past(5.0), **words)["(R,S)"]
    assert reached.cycle_service == pytest.approx(0.9, abs=0.04 if "pack_size" not in words else 0.1)
    assert reached.cycle_service >= 0.86


@pytest.mark.parametrize("words", [{}, {"lead_time": 5, "review_period": 1}, {"lead_time": 0}])
def test_the_fill_rate_that_was_asked_for_is_reached(words: dict[str, Any]) -> None:
    """A shortage that lasts over several cycles, as with a long lead time, counts once."""
    reached = outcomes(past(8.0), service="fill-rate", service_level=0.97, **words)
    assert reached["(R,S)"].fill_rate == pytest.approx(0.97, abs=0.01)
    assert reached["(s,S)"].fill_rate == pytest.approx(0.97, abs=0.02)


def test_s_s_orders_less_often_and_holds_more_stock() -> None:
    found = outcomes(past(5.0), review_period=1, minimum_order=80)
    assert found["(s,S)"].orders < 0.5
    plain = outcomes(past(5.0), review_period=1)
    assert plain["(R,S)"].orders > 0.9
    assert found["(s,S)"].mean_stock > plain["(R,S)"].mean_stock
    assert found["(s,S)"].cycle_service >= 0.9


def test_forecasts_that_are_right_serve_all_demand_from_the_stock_of_a_review() -> None:
    reached = outcomes(past(0.0, series=2))["(R,S)"]
    assert (reached.cycle_service, reached.fill_rate, reached.orders) == (1.0, 1.0, 1.0)
    assert reached.mean_stock == pytest.approx(2 * (20 + 0) / 2)  # 20 and 0 at the end of the two periods of a cycle
    assert reached.stock_periods == pytest.approx(0.5)


def test_a_better_forecast_takes_less_stock_for_the_same_service() -> None:
    good, bad = (outcomes(past(sigma))["(R,S)"] for sigma in (2.0, 6.0))
    assert good.mean_stock < 0.7 * bad.mean_stock
    assert good.cycle_service == pytest.approx(bad.cycle_service, abs=0.03)


@settings(max_examples=30)
@given(st.floats(0.51, 0.999), st.floats(0.51, 0.999), st.integers(0, 9), st.sampled_from(["cycle", "fill-rate"]))
def test_more_service_asked_for_is_no_less_reached_and_takes_no_less_stock(
    one: float, other: float, seed: int, service: str
) -> None:
    history = past(6.0, series=4, windows=3, seed=seed)
    low, high = (outcomes(history, service_level=level, service=service)["(R,S)"] for level in sorted((one, other)))
    assert low.cycle_service <= high.cycle_service
    assert low.fill_rate <= high.fill_rate + 1e-9  # type: ignore[operator]
    assert low.mean_stock <= high.mean_stock + 1e-9


def test_levels_of_a_window_know_nothing_of_its_actuals() -> None:
    history, spec = past(5.0, series=4), inventory()
    terms, classes = order_terms(spec, pd.RangeIndex(4)), np.zeros(4, dtype="int64")
    changed = replace(history, actual=np.where(history.window[:, None] == 2, 500.0, history.actual))

    def order_up_to(each: PastForecasts) -> Array:
        errors = held_out_errors(each, terms, classes, 20, 2)
        return stock_levels(each.mean[:, 2:], each.scale, errors, terms.take(each.series), spec).order_up_to

    before, after = order_up_to(history), order_up_to(changed)
    of_window = history.window == 2
    assert (before[of_window] == after[of_window]).all()
    assert (before[~of_window] != after[~of_window]).all()


def test_the_same_seed_gives_the_same_outcome() -> None:
    words: dict[str, Any] = {"lead_time": {"mean": 2, "sd": 1.0}}
    assert outcomes(past(5.0), **words) == outcomes(past(5.0), **words)


def test_a_single_window_or_one_without_actuals_has_no_outcome() -> None:
    assert outcomes(past(5.0, windows=1)) == {}
    history = past(5.0, windows=2)
    gaps: Array = np.where(history.window[:, None] == 1, np.nan, history.actual)
    assert outcomes(replace(history, actual=gaps)) == {}


@pytest.mark.parametrize(
    "words", [{}, {"pack_size": 12}, {"minimum_order": 100}, {"pack_size": 12, "service": "fill-rate"}]
)
@pytest.mark.parametrize("policy", ["(R,S)", "(s,S)"])
def test_a_series_that_never_sold_takes_no_stock_and_no_order(policy: str, words: dict[str, Any]) -> None:
    history = past(5.0, series=20)
    idle = history.series % 2 == 1
    sold: Array = np.where(idle[:, None], 0.0, history.actual)
    half = replace(history, actual=sold, mean=np.where(idle[:, None], 0.0, history.mean), sold=~idle)
    found = outcomes(half, **words)[policy]
    without = outcomes(half.select(~idle), **words)[policy]
    assert found.orders == pytest.approx(
        without.orders / 2, abs=0.03
    )  # a half of the reviews is of series without sales
    one = replace(history, actual=np.zeros_like(sold), mean=np.zeros_like(sold), sold=np.zeros(len(idle), dtype=bool))
    nothing = outcomes(one, **words)[policy]
    assert (nothing.orders, nothing.mean_stock) == (0, 0)
