"""What stock levels would have done on the actuals of the backtest: the service that they reach, and the stock that they take.

Each series is ordered for from each cutoff of the backtest on, period by period, until the forecast that was made there does not
reach further. A review orders by levels that were computed from the forecasts and errors of the other windows alone. The forecast
of a later review is as old as the review is late, and so are the errors that its levels are computed from. Demand that is not met
waits (backorders). Lead times that vary are drawn from a normal distribution, rounded to whole periods such that their mean stays.

Periods before the first order can arrive are not counted: their stock comes from orders before the cutoff. In (s,S), and where
packs or minimum orders are larger than the demand of a review, positions after a review lie evenly between two levels, and so they
begin there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mlspec.errors import ModelError
from mlspec.forecast.stock.classes import CLASSES
from mlspec.forecast.stock.levels import (
    DemandErrors,
    StockLevels,
    cycle_order,
    measure_errors,
    needed_errors,
    stock_levels,
)
from mlspec.forecast.stock.origins import Array, Codes, Flags, PastForecasts, running_totals, sums_to
from mlspec.forecast.stock.safety_factors import ErrorShape
from mlspec.forecast.stock.terms import OrderTerms, is_needed, order_quantities
from mlspec.forecast.stock.unsold import level_scales
from mlspec.spec.inventory import Inventory, Policy

LONGEST = 26  # periods after a cutoff in which reviews are simulated
FOLDS = (
    10  # groups of windows, each of which is simulated with levels from the others; with fewer windows, each by itself
)
_GOLDEN = 0.6180339887498949  # multiples of it, without their whole part, lie evenly between 0 and 1
_ROUNDING = 1 / 6  # variance that rounding up or down by chance adds, such that the mean stays


@dataclass(frozen=True)
class StockOutcome:
    """What a policy reached. `cycle_service`: share of cycles without a stock-out, each from the arrival of an order to that of the
    next; `fill_rate`: share of demand met at once.

    `mean_stock` at the end of a period, in units, over all series together; `stock_periods` is that in periods of demand. `orders`:
    share of reviews that order. `cycles` is how many cycles that is known from.
    """

    policy: Policy
    cycle_service: float | None
    fill_rate: float | None
    mean_stock: float
    stock_periods: float | None
    orders: float
    cycles: int


@dataclass(frozen=True)
class _Review:
    """One review of some rows: whether each is reviewed, and the levels, a value a row."""

    due: Flags
    levels: StockLevels
    review_demand: Array


def simulate_policies(
    past: PastForecasts, terms: OrderTerms, classes: Codes, inventory: Inventory, seed: int
) -> list[StockOutcome]:
    """Return the outcome of each policy; none where a backtest has too few windows or actuals. `terms`, `classes` are by series."""
    past = _whole_rows(past, terms)
    if len(np.unique(past.window)) < 2:
        return []
    run_terms = terms.take(past.series)
    plans: dict[Policy, dict[int, _Review]] = {"(R,S)": {}, "(s,S)": {}}
    for age, due in _due_reviews(run_terms, past.horizon):
        try:
            errors = held_out_errors(past, terms, classes, needed_errors(inventory.service_level), age)
        except ModelError:  # without an error of forecasts of that age, no levels can be computed
            break
        means = past.mean[:, age:]
        review_demand = sums_to(running_totals(means), run_terms.review_period)
        scale = level_scales(past.scale, past.sold, means)
        for policy, reviews in plans.items():
            asked = inventory.model_copy(update={"policy": policy})
            levels = stock_levels(means, scale, errors, run_terms, asked)
            reviews[age] = _Review(due, levels, review_demand)
    return [
        _run_policy(past, run_terms, policy, reviews, np.random.default_rng(seed))
        for policy, reviews in plans.items()
        if reviews
    ]


def _whole_rows(past: PastForecasts, terms: OrderTerms) -> PastForecasts:
    """Return the rows whose actuals are all known as far as they are simulated."""
    reach = _covered_periods(terms.take(past.series), past.horizon)
    beyond = np.arange(past.horizon) >= reach[:, None]
    whole: Flags = np.all(np.isfinite(past.actual) | beyond, axis=1)
    return past.select(whole)


def _review_counts(terms: OrderTerms, horizon: int) -> Codes:
    """Return how many reviews of each row have a forecast for as long as their order has to last; the first is at the cutoff."""
    room = np.minimum(horizon - np.ceil(terms.protection), LONGEST)
    return np.asarray(np.floor(room / terms.review_period) + 1, dtype="int64")


def _covered_periods(terms: OrderTerms, horizon: int) -> Array:
    """Return how many periods after the cutoff each row's reviews cover."""
    covered: Array = np.ceil(terms.lead_time) + _review_counts(terms, horizon) * terms.review_period
    return np.minimum(covered, horizon)


def _due_reviews(terms: OrderTerms, horizon: int) -> Iterator[tuple[int, Flags]]:
    """Yield the numbers of periods after the cutoff at which some row has a review, and which rows have one."""
    last = (_review_counts(terms, horizon) - 1) * terms.review_period
    for age in range(int(last.max()) + 1):
        due = (age % terms.review_period == 0) & (age <= last)
        if due.any():
            yield age, due


def held_out_errors(past: PastForecasts, terms: OrderTerms, classes: Codes, need: int, age: int) -> DemandErrors:
    """Return what errors of forecasts that are `age` periods old were like: for each row in the other windows alone.

    Raises ModelError if no error is known.
    """
    fold, shapes = past.window % FOLDS, dict[int, ErrorShape]()
    size, lead_size = np.zeros(len(fold)), np.zeros(len(fold))
    kind = np.zeros(len(fold), dtype="int64")
    for number in np.unique(fold):
        rows, first = fold == number, int(number) * (len(CLASSES) + 1) + 1
        found = measure_errors(past.select(~rows), terms, classes, need, age=age).take(past.series[rows])
        size[rows], lead_size[rows], kind[rows] = found.size, found.lead_size, found.kind + first
        shapes |= {key + first: shape for key, shape in found.shapes.items()}
    return DemandErrors(size, lead_size, kind, shapes, len(fold))


def _run_policy(
    past: PastForecasts,
    terms: OrderTerms,
    policy: Policy,
    reviews: dict[int, _Review],
    random: np.random.Generator,
) -> StockOutcome:
    """Play the periods after each cutoff one by one."""
    covered, first = _covered_periods(terms, past.horizon), np.ceil(terms.lead_time)
    length = int(covered.max())
    position = _first_position(reviews[0], terms, policy)
    stock, arrivals = position.copy(), np.zeros((len(position), length))
    ended, orders = np.full((len(position), length), np.nan), np.zeros((len(position), length), dtype=bool)
    short = np.zeros((len(position), length))
    for period in range(length):
        lead_times = _draw_lead_times(terms, random)
        review = reviews.get(period)
        if review is not None:
            quantity = _order(review, position, terms, policy)
            orders[:, period] = quantity > 0
            position = position + quantity
            _send(arrivals, quantity, period + lead_times)
        before = stock + arrivals[:, period]
        demand = past.actual[:, period]
        stock, position = before - demand, position - demand
        counted = (period >= first) & (period < covered)
        ended[:, period] = np.where(counted, stock, np.nan)
        short[:, period] = np.where(counted, np.maximum(-stock, 0) - np.maximum(-before, 0), 0.0).clip(min=0)
    reviewed = np.sum([review.due for review in reviews.values()], axis=0)
    return _sum_up(
        past, policy, ended, short, _count_cycles(first, ended, orders, reviewed), orders.sum() / reviewed.sum()
    )


def _first_position(review: _Review, terms: OrderTerms, policy: Policy) -> Array:
    """Return the position just before the first review."""
    levels, part = review.levels, (np.arange(1, len(review.due) + 1) * _GOLDEN) % 1
    if policy == "(s,S)":
        return levels.reorder_point + part * (levels.order_up_to - levels.reorder_point)
    demand = np.maximum(review.review_demand, 0.0)
    needed = is_needed(levels.order_up_to, levels.order_up_to, terms)
    more = np.where(needed, cycle_order(demand, terms) - demand, 0.0)
    return np.where(more > 0, levels.order_up_to + part * more, levels.order_up_to - demand)


def _order(review: _Review, position: Array, terms: OrderTerms, policy: Policy) -> Array:
    """Return what each row orders at a review."""
    levels = review.levels
    trigger = levels.order_up_to if policy == "(R,S)" else levels.reorder_point
    orders = review.due & (position <= trigger)
    return np.where(orders, order_quantities(position, levels.order_up_to, terms), 0.0)


def _draw_lead_times(terms: OrderTerms, random: np.random.Generator) -> Codes:
    """Return whole lead times with the mean and standard deviation of the terms, which rounding is a part of; none is below 0."""
    deviation = np.sqrt(np.maximum(terms.lead_time_sd**2 - _ROUNDING, 0.0))
    drawn = terms.lead_time + deviation * random.standard_normal(len(terms.lead_time))
    return np.asarray(np.maximum(np.floor(drawn + random.random(len(drawn))), 0), dtype="int64")


def _send(arrivals: Array, quantity: Array, period: Codes) -> None:
    """Add orders to the periods in which they arrive, unless that is after the last."""
    rows = np.flatnonzero((quantity > 0) & (period < arrivals.shape[1]))
    arrivals[rows, period[rows]] += quantity[rows]


def _sum_up(
    past: PastForecasts, policy: Policy, ended: Array, short: Array, cycles: tuple[int, int], ordering: float
) -> StockOutcome:
    """Return the outcome of stock at the end of each counted period, and of demand that was short in it.

    `cycles`: how many there are, and how many of them had no stock-out.
    """
    counted = np.isfinite(ended)
    demand = np.where(counted, np.maximum(past.actual[:, : ended.shape[1]], 0.0), 0.0)
    on_hand = np.where(counted, np.maximum(ended, 0.0), 0.0)
    mean_stock, mean_demand = (_mean_of_all(values, counted, past.series) for values in (on_hand, demand))
    total, (count, served) = float(demand.sum()), cycles
    return StockOutcome(
        policy,
        cycle_service=served / count if count else None,
        fill_rate=1 - float(short.sum()) / total if total > 0 else None,
        mean_stock=mean_stock,
        stock_periods=mean_stock / mean_demand if mean_demand > 0 else None,
        orders=float(ordering),
        cycles=count,
    )


def _count_cycles(first: Array, ended: Array, orders: Flags, reviewed: Codes) -> tuple[int, int]:
    """Return how many cycles there are, each from the arrival of an order to that of the next, and how many had no stock-out.

    The last cycle of a row ends with it only where each of its reviews orders: else, nobody knows when the next order would arrive.
    """
    length, placed = ended.shape[1], np.cumsum(orders, axis=1)
    rows, periods = np.nonzero(np.isfinite(ended))
    number = placed[rows, np.maximum(periods - first[rows].astype("int64"), 0)]
    last = placed[np.arange(len(ended)), -1]
    whole = (number < last[rows]) | (last == reviewed)[rows]
    keys = rows * (length + 1) + number
    tolerance = 1e-9 * np.maximum(1.0, np.nanmax(np.abs(ended), initial=1.0))
    count = len(np.unique(keys[whole]))
    return count, count - len(np.unique(keys[whole & (ended[rows, periods] < -tolerance)]))


def _mean_of_all(values: Array, counted: Flags, series: Codes) -> float:
    """Return the mean over periods of all series together."""
    count = int(series.max()) + 1
    total = np.bincount(series, weights=values.sum(axis=1), minlength=count)
    periods = np.bincount(series, weights=counted.sum(axis=1), minlength=count)
    return float((total / np.maximum(periods, 1)).sum())
