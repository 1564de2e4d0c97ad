"""The terms on which each series is ordered: lead time, review period, pack size and minimum order."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from mlspec.forecast.stock.origins import Array, Codes, Flags
from mlspec.spec.inventory import ROUNDING, Inventory


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

    def take(self, series: Codes | Flags) -> OrderTerms:
        """Return the terms of some series, in this order."""
        return replace(self, **{field.name: getattr(self, field.name)[series] for field in fields(self)})


def order_terms(inventory: Inventory, series: pd.Index, by_series: pd.DataFrame | None = None) -> OrderTerms:
    """Return the terms of these series: those of the spec, or its columns in `by_series`, by unique_id."""
    values = {name: np.full(len(series), value) for name, value in inventory.constant_terms().items()}
    if by_series is not None:
        own = by_series.reindex(series)
        values |= {str(name): own[name].to_numpy(dtype="float64") for name in own}
    terms = OrderTerms(**values)
    return replace(terms, lead_time_sd=np.maximum(terms.lead_time_sd, whole_period_sd(terms.lead_time)))


def whole_period_sd(mean: Array) -> Array:
    """Return the least standard deviation of lead times that are whole periods: 0 only where their mean is one too."""
    part = mean % 1
    return np.sqrt(part * (1 - part))


def is_needed(need: Array, level: Array, terms: OrderTerms) -> Flags:
    """Return whether so much stock is more than a rounding error beside the level, a pack, the minimum order and one unit."""
    largest = np.maximum(np.maximum(terms.pack_size, terms.minimum_order), 1.0)
    return np.asarray(need > ROUNDING * np.maximum(np.abs(level), largest))


def order_quantities(position: Array, level: Array, terms: OrderTerms) -> Array:
    """Return what is ordered to bring the position up to a level: the minimum order at least, in whole packs.

    Nothing is ordered for a need of zero or of a rounding error. A need that is less than a pack is one pack.
    """
    wanted = level - position
    least = np.maximum(wanted, terms.minimum_order)
    packs = np.where(terms.pack_size > 0, terms.pack_size, 1.0)
    # A quotient that is a whole number but for its last digits is that number of packs.
    whole = np.ceil(np.round(least / packs, 9)) * packs
    return np.where(is_needed(wanted, level, terms), np.where(terms.pack_size > 0, whole, least), 0.0)
