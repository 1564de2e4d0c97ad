"""Projects the stock of one series over the forecast: what its levels would order, and what would be left.

A review stands before the first period and after every `review_period` periods. Its order arrives `lead_time` periods later, before
that period's demand, as in the simulation of the backtest. Demand that is not met waits: the stock is below zero then.

The levels are those of the first review. A later review orders by levels that follow the forecast, as in the simulation too: the
demand of the periods that its own order has to last for, and the same safety stock. Else no order would know of a promotion ahead.
Where the forecast ends before those periods do, the levels are of the last ones that it covers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from mlspec.spec.inventory import ROUNDING


@dataclass(frozen=True, slots=True)
class OrderRules:
    """By which levels and terms a series is ordered for, at one review. `reorder_point` None: every review orders (R,S).

    `pack_size` 0 is none: any quantity can be ordered.
    """

    order_up_to: float
    reorder_point: float | None
    lead_time: int
    review_period: int
    pack_size: float = 0.0
    minimum_order: float = 0.0

    def quantity(self, position: float) -> float:
        """Return what a review orders at a stock position: in stock and on order, less what customers wait for."""
        if self.reorder_point is not None and position > self.reorder_point:
            return 0.0
        wanted = self.order_up_to - position
        if self._is_nothing(wanted):
            return 0.0
        least = max(wanted, self.minimum_order)
        # A quotient that is a whole number but for its last digits is that number of packs.
        return math.ceil(round(least / self.pack_size, 9)) * self.pack_size if self.pack_size > 0 else least

    def at_review(self, totals: Sequence[float], at: int) -> OrderRules:
        """Return the rules of a review before the period `at`, from these of the first one.

        `totals`: the demand of the first periods of the forecast, for each number of them from 0 on.
        """
        start = max(min(at, len(totals) - 1 - self.lead_time - self.review_period), 0)
        if start == 0:
            return self
        lead, review = (_rise(totals, start, periods) for periods in (self.lead_time, self.review_period))
        protection = _rise(totals, start, self.lead_time + self.review_period)
        if self.reorder_point is None:
            return replace(self, order_up_to=self.order_up_to + protection)
        usual, least = totals[self.review_period], max(self.minimum_order, self.pack_size, 0.0)
        reorder_point = self.reorder_point + (lead + protection) / 2
        if self._is_nothing(reorder_point):
            return replace(self, reorder_point=reorder_point, order_up_to=reorder_point)
        # Levels of a first review that needs nothing leave no room for an order.
        first = max(usual, least) if self._is_nothing(self.reorder_point) else self.order_up_to - self.reorder_point
        ordered = first + max(usual + review, least) - max(usual, least)
        return replace(self, reorder_point=reorder_point, order_up_to=reorder_point + ordered)

    def _is_nothing(self, need: float) -> bool:
        """Return whether so much stock is none but for a rounding error: no pack and no minimum order is ordered for it."""
        return need <= ROUNDING * max(abs(self.order_up_to), self.pack_size, self.minimum_order, 1.0)


def _rise(totals: Sequence[float], start: int, periods: int) -> float:
    """Return by how much the demand of so many periods from `start` on is above that of the first ones."""
    return totals[start + periods] - totals[start] - totals[periods]


@dataclass(frozen=True, slots=True)
class StockPeriod:
    """One period: its demand, what is ordered before it, what arrives, and the stock that is expected at its end."""

    demand: float
    order: float
    arrival: float
    stock: float


def project_stock(demand: Sequence[float], rules: OrderRules, on_hand: float) -> list[StockPeriod]:
    """Return the periods of a forecast from a stock on hand, with nothing on order. `rules` are those of the first review."""
    totals = list(accumulate(demand, initial=0.0))
    arrivals = [0.0] * (len(demand) + rules.lead_time + 1)
    stock, on_order, periods = on_hand, 0.0, list[StockPeriod]()
    for at, need in enumerate(demand):
        due = at % rules.review_period == 0
        order = rules.at_review(totals, at).quantity(stock + on_order) if due else 0.0
        arrivals[at + rules.lead_time] += order
        on_order += order - arrivals[at]
        stock += arrivals[at] - need
        periods.append(StockPeriod(need, order, arrivals[at], stock))
    return periods
