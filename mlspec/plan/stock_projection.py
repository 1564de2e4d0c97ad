"""Projects the stock of one series over the forecast: what its levels would order, and what would be left.

A review stands before the first period and after every `review_period` periods. Its order arrives `lead_time` periods later, before
that period's demand, as in the simulation of the backtest. Demand that is not met waits: the stock is below zero then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OrderRules:
    """By which levels and terms a series is ordered for. `reorder_point` None: every review orders (R,S).

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
        if wanted <= 0:
            return 0.0
        least = max(wanted, self.minimum_order)
        # A quotient that is a whole number but for its last digits is that number of packs.
        return math.ceil(round(least / self.pack_size, 9)) * self.pack_size if self.pack_size > 0 else least


@dataclass(frozen=True, slots=True)
class StockPeriod:
    """One period: its demand, what is ordered before it, what arrives, and the stock that is expected at its end."""

    demand: float
    order: float
    arrival: float
    stock: float


def project_stock(demand: Sequence[float], rules: OrderRules, on_hand: float) -> list[StockPeriod]:
    """Return the periods of a forecast from a stock on hand, with nothing on order."""
    arrivals = [0.0] * (len(demand) + rules.lead_time + 1)
    stock, on_order, periods = on_hand, 0.0, list[StockPeriod]()
    for at, need in enumerate(demand):
        order = rules.quantity(stock + on_order) if at % rules.review_period == 0 else 0.0
        arrivals[at + rules.lead_time] += order
        on_order += order - arrivals[at]
        stock += arrivals[at] - need
        periods.append(StockPeriod(need, order, arrivals[at], stock))
    return periods
