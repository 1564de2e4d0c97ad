"""Stock levels: each series by its own errors as far as they tell, and more for more service, longer or less certain lead times."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.errors import ModelError
from mlspec.forecast.stock.error_sizes import shrink_sizes
from mlspec.forecast.stock.levels import StockLevels, measure_errors, stock_levels
from mlspec.forecast.stock.origins import Array, PastForecasts, sums_to
from mlspec.forecast.stock.safety_factors import error_shape, normal_sample
from mlspec.forecast.stock.terms import order_quantities, order_terms
from mlspec.forecast.stock.unsold import level_scales
from mlspec.plan.stock_projection import OrderRules
from mlspec.spec.inventory import Inventory

HORIZON = 4
TABLES = st.lists(st.lists(st.floats(0, 100), min_size=1, max_size=6), min_size=1, max_size=6)


def inventory(**words: Any) -> Inventory:
    return Inventory.model_validate({"service_level": 0.9, "lead_time": 1, "review_period": 2, **words})


def past(errors: Array, scale: float = 1.0) -> PastForecasts:
    """Past forecasts of 10 a period: `errors` by series, window and step."""
    series, windows, _ = errors.shape
    rows = errors.reshape(series * windows, -1)
    return PastForecasts(
        np.repeat(np.arange(series), windows), np.tile(np.arange(windows), series), np.full(len(rows), scale),
        10 + rows, np.full(rows.shape, 10.0), np.ones(len(rows), dtype=bool),
    )  # fmt: skip


def levels(errors: Array, scale: float = 1.0, **words: Any) -> StockLevels:
    """The levels of series of one class that are forecast as 10 a period."""
    spec, count = inventory(**words), len(errors)
    terms, classes = order_terms(spec, pd.RangeIndex(count)), np.zeros(count, dtype="int64")
    found = measure_errors(past(errors, scale), terms, classes, 20)
    return stock_levels(np.full((count, HORIZON), 10.0), np.full(count, scale), found, terms, spec)


def noise(sigmas: list[float], windows: int, seed: int = 0) -> Array:
    """Normal errors of series with these standard deviations."""
    random = np.random.default_rng(seed).normal(size=(len(sigmas), windows, HORIZON))
    return np.asarray(random * np.array(sigmas)[:, None, None])


# --- the size of a series' errors -------------------------------------------------------------------------------------


@given(TABLES)
def test_the_size_of_a_series_lies_between_its_own_and_that_of_all(table: list[list[float]]) -> None:
    values = np.concatenate([np.array(own) for own in table])
    owners = np.repeat(np.arange(len(table)), [len(own) for own in table])
    sizes = shrink_sizes(values, owners, len(table) + 1).by_series
    for own, size in zip(table, sizes, strict=False):
        relative = np.mean(own) / values.mean() if values.mean() else 1.0
        assert min(relative, 1.0) - 1e-6 <= size <= max(relative, 1.0) + 1e-6
    assert sizes[-1] == 1.0  # has no error of its own


@given(TABLES, st.floats(0.01, 100))
def test_sizes_are_relative(table: list[list[float]], factor: float) -> None:
    values = np.concatenate([np.array(own) for own in table])
    owners = np.repeat(np.arange(len(table)), [len(own) for own in table])
    once, again = (shrink_sizes(times * values, owners, len(table)).by_series for times in (1.0, factor))
    assert once == pytest.approx(again, rel=1e-3)


def test_series_that_differ_by_chance_alone_have_one_size_and_others_their_own() -> None:
    def sizes(sigmas: list[float]) -> Array:
        rows = np.abs(noise(sigmas, 8, seed=3)[:, :, 0])
        return shrink_sizes(rows.ravel(), np.repeat(np.arange(len(sigmas)), 8), len(sigmas)).by_series

    alike, different = sizes([1.0] * 60), sizes([1.0, 4.0] * 30)
    assert alike.std() < 0.1
    assert 2.5 < different[1::2].mean() / different[::2].mean() <= 4.0


# --- levels -----------------------------------------------------------------------------------------------------------


def test_each_series_is_nearer_to_the_service_asked_for_than_with_one_multiplier_for_all() -> None:
    sigmas, wanted = [1.0, 4.0] * 60, 0.9
    errors, later = noise(sigmas, 6), noise(sigmas, 200, seed=1)[:, :, :3].sum(axis=2)
    own = levels(errors, service_level=wanted).safety_stock
    for_all = np.quantile(errors[:, :, :3].sum(axis=2), wanted, method="weibull")
    by_own, by_all = ((later <= level).mean(axis=1) for level in (own[:, None], for_all))
    assert by_own.mean() == pytest.approx(wanted, abs=0.01)
    assert np.abs(by_own - wanted).mean() < 0.7 * np.abs(by_all - wanted).mean()
    assert by_own[::2].mean() < by_all[::2].mean()
    assert by_own[1::2].mean() > by_all[1::2].mean()


@given(st.floats(0.51, 0.9999), st.floats(0.51, 0.9999), st.integers(0, 5), st.integers(1, 8))
def test_a_higher_service_never_takes_less_stock(one: float, other: float, seed: int, windows: int) -> None:
    errors = noise([1.0, 2.0, 5.0], windows, seed)
    low, high = (levels(errors, service_level=level).safety_stock for level in sorted((one, other)))
    assert (low <= high + 1e-9).all()
    assert (low >= 0).all()


@given(st.floats(0.01, 1000), st.integers(0, 5))
def test_levels_have_the_unit_of_demand(factor: float, seed: int) -> None:
    errors = noise([1.0, 3.0], 5, seed)
    once, scaled = levels(errors), levels(errors * factor, scale=factor)
    assert once.safety_stock * factor == pytest.approx(scaled.safety_stock, rel=1e-6)


def test_the_levels_are_the_demand_of_their_interval_and_the_safety_stock() -> None:
    stock = levels(noise([1.0, 2.0], 5))
    assert stock.protection_demand == pytest.approx([30.0, 30.0])
    assert stock.order_up_to == pytest.approx(30 + stock.safety_stock)
    assert stock.reorder_point == pytest.approx(10 + stock.safety_stock)


def test_forecasts_that_were_always_right_take_no_safety_stock() -> None:
    assert levels(np.zeros((2, 3, HORIZON))).safety_stock == pytest.approx([0.0, 0.0])


def test_forecasts_that_were_always_too_low_by_as_much_take_that_much_for_a_fill_rate() -> None:
    always = levels(np.full((1, 3, HORIZON), 2.0), service="fill-rate", service_level=0.999)
    assert always.safety_stock == pytest.approx([6.0], rel=0.01)


def test_a_class_with_enough_errors_has_a_shape_of_its_own() -> None:
    errors = np.concatenate([noise([1.0] * 30, 4), np.abs(noise([1.0] * 30, 4, seed=1)) ** 3])
    terms, classes = order_terms(inventory(), pd.RangeIndex(60)), np.repeat([0, 3], 30)
    found = measure_errors(past(errors), terms, classes, 100)
    assert set(found.shapes) == {0, 3}
    assert found.shapes[3].cycle_factor(0.99) > found.shapes[0].cycle_factor(0.99) + 0.5
    assert set(measure_errors(past(errors), terms, classes, 1000).shapes) == {-1}


def test_without_a_whole_interval_of_actuals_it_says_so() -> None:
    errors = noise([1.0], 3)
    errors[:, :, 1] = np.nan
    with pytest.raises(ModelError, match="no backtest window has actual values"):
        levels(errors)


@given(st.floats(0, 4))
def test_a_part_of_a_period_counts_in_proportion(periods: float) -> None:
    totals = np.array([[0.0, 2.0, 4.0, 6.0, 8.0]])
    assert sums_to(totals, np.array([periods])) == pytest.approx([2 * periods])


# --- fill rate --------------------------------------------------------------------------------------------------------


@given(st.floats(0.51, 0.9999), st.floats(0.51, 0.9999), st.integers(0, 5), st.integers(1, 8))
def test_a_higher_fill_rate_never_takes_less_stock(one: float, other: float, seed: int, windows: int) -> None:
    errors = noise([1.0, 2.0, 5.0], windows, seed)
    low, high = (
        levels(errors, service="fill-rate", service_level=level).safety_stock for level in sorted((one, other))
    )
    assert (low <= high + 1e-9).all()


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30), st.floats(0.001, 3))
def test_the_factor_of_a_fill_rate_leaves_the_shortage_that_it_allows(errors: list[float], loss: float) -> None:
    shape = error_shape(np.array(errors))
    factor = shape.fill_factors(np.array([loss]))[0]
    left = np.maximum(shape.standardised - factor, 0).mean()
    assert left == pytest.approx(loss, abs=1e-6) or (left < loss and factor >= shape.standardised[-2] - 1e-9)


def test_normal_errors_have_the_factors_of_the_tables() -> None:
    sample = np.random.default_rng(0).normal(size=20_000)
    assert error_shape(sample).cycle_factor(0.95) == pytest.approx(1.645, abs=0.03)
    # G(k) of Silver, Pyke & Thomas 2017, appendix: G(0) = 0.3989, G(1) = 0.0833, G(2) = 0.0085.
    assert error_shape(sample).fill_factors(np.array([0.3989, 0.0833, 0.0085])) == pytest.approx([0, 1, 2], abs=0.04)


def test_a_fill_rate_takes_less_stock_where_an_order_is_large() -> None:
    errors = noise([3.0] * 4, 6)
    single, packs, lots = (
        levels(errors, service="fill-rate", service_level=0.98, **words).safety_stock
        for words in ({}, {"pack_size": 60}, {"minimum_order": 300})
    )
    assert (single > packs).all()
    assert (packs > lots).all()


def test_the_fill_rate_that_was_asked_for_is_reached() -> None:
    errors, later = noise([3.0] * 60, 6), noise([3.0] * 60, 400, seed=1)[:, :, :3].sum(axis=2)
    stock = levels(errors, service="fill-rate", service_level=0.97).safety_stock
    short = np.maximum(later - stock[:, None], 0).mean() / 20  # of the 20 units of a review period
    assert 1 - short == pytest.approx(0.97, abs=0.01)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30), st.floats(-3, 3))
def test_the_loss_is_what_errors_exceed_a_factor_by(errors: list[float], factor: float) -> None:
    shape = error_shape(np.array(errors))
    assert shape.losses(np.array([factor]))[0] == pytest.approx(
        np.maximum(shape.standardised - factor, 0).mean(), abs=1e-9
    )


def test_a_series_that_sells_nothing_has_the_cycle_service_instead_of_a_fill_rate() -> None:
    spec, errors = inventory(service="fill-rate"), noise([1.0], 6)
    terms, classes = order_terms(spec, pd.RangeIndex(1)), np.zeros(1, dtype="int64")
    found = measure_errors(past(errors), terms, classes, 20)
    nothing = np.zeros((1, HORIZON))
    filled, cycle = (stock_levels(nothing, np.ones(1), found, terms, each) for each in (spec, inventory()))
    assert filled.safety_stock == pytest.approx(cycle.safety_stock)


# --- lead times that vary, packs and policies -------------------------------------------------------------------------


@given(st.floats(0, 3), st.floats(0, 3), st.sampled_from(["cycle", "fill-rate"]))
def test_a_less_certain_lead_time_never_takes_less_stock(one: float, other: float, service: str) -> None:
    low, high = (
        levels(noise([1.0, 4.0], 6), service=service, lead_time={"mean": 1, "sd": sd}).safety_stock
        for sd in sorted((one, other))
    )
    assert (low <= high + 1e-9).all()


def test_the_lead_time_counts_by_the_demand_of_a_period() -> None:
    """Of forecasts that were always right, what is left is the lead time: k x demand x sigma (Silver, Pyke & Thomas, ch. 6)."""
    stock = levels(np.zeros((2, 3, HORIZON)), service_level=0.9, lead_time={"mean": 1, "sd": 0.5}).safety_stock
    assert stock == pytest.approx(np.quantile(normal_sample(), 0.9, method="weibull") * 10 * 0.5)


def test_s_lasts_from_a_review_that_finds_it_undershot_and_an_order_is_a_minimum_order_or_a_review_s_demand() -> None:
    errors = np.zeros((2, 5, HORIZON))
    free, large = (levels(errors, policy="(s,S)", **words) for words in ({}, {"minimum_order": 90}))
    # The demand of the lead time, and half of that of the review period; the rest is by chance between none and 20.
    assert free.reorder_point - free.safety_stock == pytest.approx([20.0, 20.0])
    assert free.safety_stock == pytest.approx(np.quantile(normal_sample(), 0.9, method="weibull") * 20 / math.sqrt(12))
    assert free.order_up_to - free.reorder_point == pytest.approx([20.0, 20.0])
    assert large.order_up_to - large.reorder_point == pytest.approx([90.0, 90.0])


AMOUNTS = st.floats(0, 1000)


@given(AMOUNTS, AMOUNTS, st.sampled_from([0.0, 0.1, 1.0, 12.0, 0.75]))
def test_an_order_is_of_whole_packs_no_less_than_wanted_and_no_pack_more(
    wanted: float, minimum: float, pack: float
) -> None:
    terms = order_terms(inventory(pack_size=pack or None, minimum_order=minimum or None), pd.RangeIndex(1))
    ordered = order_quantities(np.zeros(1), np.array([wanted]), terms)[0]
    least = max(wanted, minimum)
    if wanted <= 1e-9 * max(1.0, minimum, pack):
        assert ordered == 0
    elif pack == 0:
        assert ordered == least
    else:
        assert least - 1e-6 <= ordered < least + pack + 1e-6
        assert ordered / pack == pytest.approx(round(ordered / pack))


@pytest.mark.parametrize(
    ("need", "ordered"),
    [(-3.0, 0), (0.0, 0), (1e-12, 0), (0.01, 48), (11.0, 48), (48.0, 48), (48 + 1e-12, 48), (49.0, 60)],
)
def test_a_need_of_zero_or_of_a_rounding_error_orders_nothing_and_any_other_is_ordered_up(
    need: float, ordered: float
) -> None:
    terms = order_terms(inventory(pack_size=12, minimum_order=48), pd.RangeIndex(1))
    assert order_quantities(np.array([100.0]), np.array([100.0 + need]), terms)[0] == ordered
    assert OrderRules(100.0 + need, None, 1, 1, pack_size=12, minimum_order=48).quantity(100.0) == ordered


def test_the_last_digits_of_large_numbers_are_no_need() -> None:
    level, position = 3e9 * 1.1, 3.3e9  # differs by 5e-7
    assert level - position > 0
    terms = order_terms(inventory(pack_size=12), pd.RangeIndex(1))
    assert order_quantities(np.array([position]), np.array([level]), terms)[0] == 0
    assert OrderRules(level, None, 1, 1, pack_size=12).quantity(position) == 0


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.sampled_from([0.0, 0.1, 12.0]))
def test_the_simulation_and_the_table_of_orders_order_the_same(
    level: float, position: float, minimum: float, pack: float
) -> None:
    terms = order_terms(inventory(pack_size=pack or None, minimum_order=minimum or None), pd.RangeIndex(1))
    simulated = order_quantities(np.array([position]), np.array([level]), terms)[0]
    shown = OrderRules(level, None, 1, 1, pack_size=pack, minimum_order=minimum).quantity(position)
    assert shown == pytest.approx(simulated, rel=1e-12)


# --- a series without demand ------------------------------------------------------------------------------------------


def unsold_levels(mean: float, **words: Any) -> StockLevels:
    """The levels of a series that sells 10 a period, and of one that never sold anything and is forecast as `mean` a period."""
    spec, errors = inventory(**words), noise([3.0, 0.0], 6)
    terms, means = order_terms(spec, pd.RangeIndex(2)), np.array([[10.0], [mean]]).repeat(HORIZON, axis=1)
    found = measure_errors(past(errors), terms, np.zeros(2, dtype="int64"), 20)
    scale = level_scales(np.ones(2), np.array([True, False]), means)
    return stock_levels(means, scale, found, terms, spec)


@pytest.mark.parametrize("service", ["cycle", "fill-rate"])
@pytest.mark.parametrize("policy", ["(R,S)", "(s,S)"])
@pytest.mark.parametrize("terms", [{}, {"pack_size": 12}, {"minimum_order": 48}, {"lead_time": {"mean": 1, "sd": 1}}])
def test_a_series_that_never_sold_and_is_forecast_as_nothing_needs_no_stock(
    service: str, policy: str, terms: dict[str, Any]
) -> None:
    stock = unsold_levels(0.0, service=service, policy=policy, **terms)
    assert [stock.safety_stock[1], stock.reorder_point[1], stock.order_up_to[1]] == [0, 0, 0]
    assert stock.order_up_to[0] > stock.reorder_point[0] > 0


@pytest.mark.parametrize("policy", ["(R,S)", "(s,S)"])
def test_what_is_forecast_for_a_series_that_never_sold_is_stocked_in_its_own_unit(policy: str) -> None:
    small, large = (unsold_levels(mean, policy=policy) for mean in (2.0, 2000.0))
    assert small.safety_stock[1] > 0
    assert large.safety_stock[1] == pytest.approx(1000 * small.safety_stock[1])
    assert large.order_up_to[1] == pytest.approx(1000 * small.order_up_to[1])
