"""The terms on which each series is ordered: lead time, review period, pack size and minimum order."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from mlspec.forecast.stock.origins import Array, Codes
from mlspec.spec.forecast import Inventory


@dataclass(frozen=True)
class OrderTerms:
    """By series: `lead_time`, in the mean, its standard deviation, and `review_period`, in periods; the others in units of demand.

    A `pack_size` of 0 is none: any quantity can be ordered.
    """

    lead_time: Array
    lead_time_sd: Array
    review_period: Array
    pack_size: Array
    minimum_order: Array

    @property
    def protection(self) -> Array:
        """The periods that stock has to last: lead time and review period (Silver, Pyke & Thomas 2017, ch. 6)."""
        return self.lead_time + self.review_period

    def take(self, series: Codes | npt.NDArray[np.bool_]) -> OrderTerms:
        """Return the terms of some series, in this order."""
        return replace(self, **{field.name: getattr(self, field.name)[series] for field in fields(self)})


def order_terms(inventory: Inventory, count: int) -> OrderTerms:
    """Return the terms of `count` series."""
    return OrderTerms(
        np.full(count, float(inventory.lead_time)),
        np.zeros(count),
        np.full(count, float(inventory.review_period)),
        np.zeros(count),
        np.zeros(count),
    )
