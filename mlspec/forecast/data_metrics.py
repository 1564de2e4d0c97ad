"""Metrics of the data itself: drift, number of rows, new and vanished series, as of some periods ago.

FORMULAS has the formula of each metric of the kinds `drift` and `data` in `spec.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from mlspec.forecast.drift import (
    Array,
    DemandWindows,
    DriftBaseline,
    count_new_and_vanished,
    drift_samples,
    ks,
    psi,
    relative_volume,
)

USUAL_BASELINE = "same-season"  # the baseline of drift, if an alert sets none


@dataclass(frozen=True)
class DataWindow:
    """The input of one metric value: a wide table (a row per period, a column per series) and a window of it. The window has
    `length` periods and ends `back` periods before the newest one. `season` is in periods; `baseline` is the baseline of drift.
    `demand` holds the scaled windows of the table, for this window and earlier ones."""

    table: pd.DataFrame
    season: int
    length: int
    back: int
    baseline: str
    demand: DemandWindows

    @classmethod
    def newest(cls, table: pd.DataFrame, season: int, length: int, baseline: str = USUAL_BASELINE) -> DataWindow:
        """Return the window that ends with the newest period."""
        demand = DemandWindows(table.to_numpy(dtype="float64"), length, season)
        return cls(table, season, length, 0, baseline, demand)

    def samples(self) -> tuple[Array, Array]:
        """Return the baseline's values and the window's values."""
        return drift_samples(self.demand, DriftBaseline(self.baseline, self.season), self.back)

    def earlier(self, by: int) -> DataWindow:
        """Return the window of the same length that ends so many periods earlier."""
        return replace(self, back=self.back + by)

    def changed_series(self) -> tuple[float, float] | tuple[None, None]:
        """Return the numbers of new and vanished series in the window; None for both if the history is too short."""
        return count_new_and_vanished(self.table, self.length, self.back) or (None, None)


# By the metric's name in `spec.metrics`.
FORMULAS: dict[str, Callable[[DataWindow], float | None]] = {
    "psi": lambda window: psi(*window.samples()),
    "ks": lambda window: ks(*window.samples()),
    "volume": lambda window: relative_volume(window.table, window.season, window.back),
    "new_series": lambda window: window.changed_series()[0],
    "vanished_series": lambda window: window.changed_series()[1],
}
