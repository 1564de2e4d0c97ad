"""Stock levels of each series: how much stock has to be there, or on its way, to last until the order after the next one.

At a review an order brings the stock position up to a level, and the next order arrives after review period R and lead time L: the
position has to last for L + R periods (Silver, Pyke & Thomas 2017, ch. 6, the (R, S) system). With D the demand forecast,

    safety_stock  = bias + k x sigma, never below 0
    order_up_to   = D(L + R) + safety_stock
    reorder_point = D(L) + safety_stock

Sigma is the standard deviation of the errors over L + R, of the series itself as far as its errors tell (`error_sizes`), and k the
safety factor that the service takes (`safety_factors`). Errors are those of the backtest, summed over the interval: this keeps
their correlation between periods, which square-root-of-time rules ignore.

The reorder point is the expected stock position just before the next review. If orders between reviews are possible, order when
the position falls to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlspec.errors import ModelError
from mlspec.forecast.stock.error_sizes import shrink_sizes
from mlspec.forecast.stock.origins import Array, Codes, PastForecasts, running_totals, sums_to
from mlspec.forecast.stock.safety_factors import ErrorShape, error_shape
from mlspec.forecast.stock.terms import OrderTerms
from mlspec.spec.forecast import Inventory

# Errors of a class needed beyond the service; with fewer, the shape and the usual size are those of all series.
TAIL = 5
_ALL = -1  # the class of series whose own class has too few errors

FORMULA = (
    "order_up_to = forecast demand over lead time + review period + safety stock; safety stock = what the service takes of the "
    "backtest's summed errors over that interval, in each series' own size (Silver, Pyke & Thomas 2017, ch. 6, (R, S) system)"
)


@dataclass(frozen=True)
class DemandErrors:
    """What errors over the protection interval are like. `size`: of each series, in its scales; `kind`: the key of its shape.

    `count` is the number of errors that this is known from.
    """

    size: Array
    kind: Codes
    shapes: Mapping[int, ErrorShape]
    count: int


@dataclass(frozen=True)
class StockLevels:
    """By series, in units: the demand over the protection interval and the levels."""

    protection_demand: Array
    safety_stock: Array
    reorder_point: Array
    order_up_to: Array


def needed_errors(service_level: float) -> int:
    """Return how many errors a class needs to have a shape of its own."""
    return math.ceil(TAIL / (1 - service_level))


def measure_errors(past: PastForecasts, terms: OrderTerms, classes: Codes, need: int, *, age: int = 0) -> DemandErrors:
    """Return what errors over the protection interval were like, of forecasts that are `age` periods old.

    Raises ModelError if no error is known.
    """
    totals = past.errors_from(age) / past.scale[:, None]
    usual = _usual_sizes(totals)
    series_usual = np.interp(terms.protection, np.arange(len(usual)), usual)
    errors = sums_to(totals, terms.protection[past.series]) / series_usual[past.series]
    known = np.isfinite(errors)
    if not known.any():
        raise ModelError(
            "inventory: no backtest window has actual values over the whole protection interval",
            hint="fill the gaps in the history, or use more backtest windows",
        )
    errors, owners = errors[known], past.series[known]
    kind = _kinds_with_enough(classes, owners, need)
    size, shapes = np.ones(len(classes)), dict[int, ErrorShape]()
    for each in np.unique(kind):
        rows = np.ones(len(errors), dtype=bool) if each == _ALL else kind[owners] == each
        relative = shrink_sizes(np.abs(errors[rows]), owners[rows], len(classes))
        size[kind == each] = relative.by_series[kind == each]
        shapes[int(each)] = error_shape(errors[rows] / relative.without)
    return DemandErrors(size * series_usual, kind, shapes, len(errors))


def _usual_sizes(totals: Array) -> Array:
    """Return the mean absolute error over each number of periods, 0 and more; 1 where none is known, or all are 0."""
    known = np.isfinite(totals)
    sums = np.where(known, np.abs(totals), 0.0).sum(axis=0)
    means = sums / np.maximum(known.sum(axis=0), 1)
    return np.where(means > 0, means, 1.0)


def _kinds_with_enough(classes: Codes, owners: Codes, need: int) -> Codes:
    """Return the class of each series, or _ALL where its class has too few errors for a shape of its own."""
    errors = np.bincount(classes[owners], minlength=int(classes.max(initial=0)) + 1)
    return np.where(errors[classes] >= need, classes, _ALL)


def stock_levels(
    means: Array, scale: Array, errors: DemandErrors, terms: OrderTerms, inventory: Inventory
) -> StockLevels:
    """Return the levels of every series from its forecast, a column a period ahead, and its scale now."""
    totals = running_totals(means)
    demand, lead_demand = sums_to(totals, terms.protection), sums_to(totals, terms.lead_time)
    safety = _safety_stock(scale, errors, inventory)
    return StockLevels(demand, safety, lead_demand + safety, demand + safety)


def _safety_stock(scale: Array, errors: DemandErrors, inventory: Inventory) -> Array:
    unit, stock = errors.size * scale, np.zeros(len(scale))
    for kind, shape in errors.shapes.items():
        of_kind = errors.kind == kind
        factor = shape.cycle_factor(inventory.service_level)
        stock[of_kind] = (shape.mean + factor * shape.deviation) * unit[of_kind]
    return np.maximum(stock, 0.0)
