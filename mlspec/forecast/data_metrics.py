"""What alerts on the data itself measure: drift, and which rows and series are there, as the data stood so many periods ago.

FORMULAS names the formula of each metric of the kinds `drift` and `data` in `spec.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from mlspec.forecast.drift import (
    Array,
    DriftBaseline,
    count_new_and_vanished,
    drift_samples,
    ks,
    psi,
    relative_volume,
)

USUAL_BASELINE = "same-season"  # what drift is measured against, where an alert does not say


@dataclass(frozen=True)
class DataWindow:
    """What one value is measured on: a wide table (a row a period, a column a series), the `length` periods of it that ended
    `back` periods before the newest, the periods of a `season`, and what a distribution is held against."""

    table: pd.DataFrame
    season: int
    length: int
    back: int
    baseline: str = USUAL_BASELINE

    def samples(self) -> tuple[Array, Array]:
        """Return the values that are expected, and those of the window."""
        return drift_samples(self.table, DriftBaseline(self.baseline, self.season), self.length, self.back)

    def changed_series(self) -> tuple[float, float] | tuple[None, None]:
        """Return how many series are new in the window, and how many have vanished; None for both where too little is known."""
        return count_new_and_vanished(self.table, self.length, self.back) or (None, None)


# By the metric's name in `spec.metrics`.
FORMULAS: dict[str, Callable[[DataWindow], float | None]] = {
    "psi": lambda window: psi(*window.samples()),
    "ks": lambda window: ks(*window.samples()),
    "volume": lambda window: relative_volume(window.table, window.season, window.back),
    "new_series": lambda window: window.changed_series()[0],
    "vanished_series": lambda window: window.changed_series()[1],
}
