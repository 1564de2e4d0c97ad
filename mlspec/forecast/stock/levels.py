"""Stock levels of each series: how much stock has to be there, or on its way, to last until the order after the next one.

At a review an order brings the stock position up to a level, and the next order arrives after review period R and lead time L: the
position has to last for L + R periods (Silver, Pyke & Thomas 2017, ch. 6). With D the demand forecast,

    safety_stock  = bias + k x sigma, never below 0
    policy (R,S):  order_up_to S = D(L + R) + safety_stock,        reorder_point = D(L) + safety_stock
    policy (s,S):  reorder_point s = D(L) + U + safety_stock,      order_up_to S = s + Q; S = s where s is 0: nothing is needed

Sigma is the standard deviation of the demand over L + R beside its forecast. It has two parts: that of the errors, of the series
itself as far as its errors tell (`error_sizes`), and that of the lead time, times the demand of a period:

    sigma^2 = sigma_errors^2 + (demand x sigma_lead_time)^2

Errors are those of the backtest, summed over the interval: this keeps their correlation between periods, which square-root-of-time
rules ignore. The safety factor k (`safety_factors`) is what the service takes: with a cycle service P1, no stock-out in a share P1
of the cycles; with a fill rate P2, an expected shortage per cycle of (1 - P2) Q, where Q is what is ordered in a cycle: the demand
of a review period, or the pack or minimum order if that is larger. The shortage of a cycle is that at its end, less that which was
there at its begin.

In (R,S) the reorder point is the expected stock position just before the next review. If orders between reviews are possible, order
when the position falls to it. In (s,S) an order is made at a review that finds the position at s or below. By then the demand of a
part of the review period has taken the position below s: the undershoot (Tijms & Groenevelt 1984). It is taken to lie evenly
between none and the demand of the review period, so its mean U is half of that, and its variance, that squared over 12, is added to
sigma^2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from mlspec.errors import ModelError
from mlspec.forecast.stock.error_sizes import shrink_sizes
from mlspec.forecast.stock.origins import Array, Codes, Flags, PastForecasts, running_totals, sums_to
from mlspec.forecast.stock.safety_factors import ErrorShape, error_shape
from mlspec.forecast.stock.terms import OrderTerms, is_needed
from mlspec.spec.inventory import Inventory, Policy

# Errors of a class needed beyond the service; with fewer, the shape and the usual size are those of all series.
TAIL = 5
HALVINGS = 30  # of the interval in which the safety stock for a fill rate lies: to a billionth of it
_ALL = -1  # the class of series whose own class has too few errors

_SAFETY = (
    "safety stock = what the service takes of the backtest's summed errors over lead time + review period, in each series' own "
    "size (Silver, Pyke & Thomas 2017, ch. 6, "
)
FORMULAS: Mapping[Policy, str] = {
    "(R,S)": f"order_up_to = forecast demand over lead time + review period + safety stock; {_SAFETY}(R, S) system)",
    "(s,S)": "order_up_to = reorder_point + the larger of minimum order, pack and a review's demand; reorder_point = forecast "
    f"demand over lead time + half a review period + safety stock; {_SAFETY}(R, s, S) system)",
}


@dataclass(frozen=True)
class DemandErrors:
    """What errors over the protection interval are like. `size`: of each series, in its scales; `kind`: the key of its shape.

    `lead_size`: of errors over the lead time alone. `count` is the number of errors that this is known from.
    """

    size: Array
    lead_size: Array
    kind: Codes
    shapes: Mapping[int, ErrorShape]
    count: int

    def take(self, series: Codes) -> DemandErrors:
        """Return the errors of some series, in this order."""
        return replace(self, **{name: getattr(self, name)[series] for name in ("size", "lead_size", "kind")})


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
    usual[0] = 0.0  # there are no errors over no period
    lead_usual = np.interp(terms.lead_time, np.arange(len(usual)), usual)
    return DemandErrors(size * series_usual, size * lead_usual, kind, shapes, len(errors))


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
    order = cycle_order(sums_to(totals, terms.review_period), terms)
    chance, own = np.abs(demand) / terms.protection * terms.lead_time_sd, errors.size * scale
    if inventory.policy == "(s,S)":
        chance = np.hypot(chance, (demand - lead_demand) / math.sqrt(12))
        safety = _safety_stock(_Cycle(order, chance, own, own, order), errors, inventory)
        reorder_point = (lead_demand + demand) / 2 + safety
        ordered = np.where(is_needed(reorder_point, reorder_point, terms), order, 0.0)
        return StockLevels(demand, safety, reorder_point, reorder_point + ordered)
    cycle = _Cycle(order, chance, own, errors.lead_size * scale, demand - lead_demand)
    safety = _safety_stock(cycle, errors, inventory)
    return StockLevels(demand, safety, lead_demand + safety, demand + safety)


@dataclass(frozen=True)
class _Cycle:
    """The cycle from the arrival of an order to that of the next, by series, in units.

    `order`: what is ordered in it. `chance`: the standard deviation of the demand that stock has to meet, but for the errors of the
    forecast. `size`: of the errors until its end; `first_size`: until its begin, when there are `more` units beside the safety
    stock.
    """

    order: Array
    chance: Array
    size: Array
    first_size: Array
    more: Array

    def select(self, rows: Flags) -> _Cycle:
        """Return some of the series."""
        return _Cycle(*(getattr(self, field.name)[rows] for field in fields(self)))


def cycle_order(review_demand: Array, terms: OrderTerms) -> Array:
    """Return what is ordered in a cycle: the demand of a review period, or the pack or the minimum order if that is larger."""
    return np.maximum(np.maximum(review_demand, 0.0), np.maximum(terms.pack_size, terms.minimum_order))


def _safety_stock(cycle: _Cycle, errors: DemandErrors, inventory: Inventory) -> Array:
    stock = np.zeros(len(cycle.order))
    for kind, shape in errors.shapes.items():
        rows = errors.kind == kind
        stock[rows] = _safety_of_shape(cycle.select(rows), shape, inventory)
    return np.maximum(stock, 0.0)


def _safety_of_shape(cycle: _Cycle, shape: ErrorShape, inventory: Inventory) -> Array:
    """Return the safety stock that a service takes (Silver, Pyke & Thomas 2017, ch. 6, the rules for P1 and P2).

    A series that is expected to sell nothing has no fill rate; its cycles have the same service.
    """
    by_cycle = _Demand(cycle.size, cycle.chance, shape).safety(shape.cycle_factor(inventory.service_level))
    if inventory.service == "cycle":
        return by_cycle
    return np.where(cycle.order > 0, _fill_safety(cycle, shape, 1 - inventory.service_level), by_cycle)


@dataclass(frozen=True)
class _Demand:
    """The demand beside its forecast that stock has to meet: `size` of the errors, and `chance` beside them."""

    size: Array
    chance: Array
    shape: ErrorShape

    @property
    def sigma(self) -> Array:
        """Its standard deviation."""
        return np.hypot(self.shape.deviation * self.size, self.chance)

    def safety(self, factors: Array | float) -> Array:
        """Return the stock that meets it but for what is beyond so many standard deviations."""
        return self.shape.mean * self.size + factors * self.sigma

    def safety_for(self, shortage: Array) -> Array:
        """Return the stock that leaves this expected shortage."""
        sigma = self.sigma
        losses = np.divide(shortage, sigma, out=np.zeros(len(sigma)), where=sigma > 0)
        return self.safety(self.shape.fill_factors(losses))

    def shortage_with(self, stock: Array) -> Array:
        """Return the expected shortage that this stock leaves."""
        sigma, beyond = self.sigma, stock - self.shape.mean * self.size
        factors = np.divide(beyond, sigma, out=np.zeros(len(sigma)), where=sigma > 0)
        return np.where(sigma > 0, self.shape.losses(factors) * sigma, np.maximum(-beyond, 0.0))


def _fill_safety(cycle: _Cycle, shape: ErrorShape, share: float) -> Array:
    """Return the safety stock that leaves a share of a cycle's demand short.

    What is short at the end of a cycle, and was so at its begin, is of an earlier one. So what the end alone would take is too
    much; the interval below it is halved until the two shortages differ by what is allowed. Errors do not tell how long their tail
    is: a safety stock in it stays.
    """
    end, begin = (_Demand(size, cycle.chance, shape) for size in (cycle.size, cycle.first_size))
    allowed = share * cycle.order
    highest = end.safety_for(allowed)
    low, high = np.zeros(len(allowed)), np.maximum(highest, 0.0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = end.shortage_with(middle) - begin.shortage_with(middle + cycle.more) <= allowed
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(
        shape.is_tail(np.divide(allowed, end.sigma, out=np.zeros(len(low)), where=end.sigma > 0)), highest, high
    )
