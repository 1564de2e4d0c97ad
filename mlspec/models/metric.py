"""What an accuracy metric of your own is: the one module that its code imports. docs/own-metric.md shows it at work.

A package makes an `AccuracyMetric` and names it by an entry point of the group `mlspec.metrics`; the entry point's name is the
metric's name in specs. The formula gets `ScoredForecasts`, which mlspec's own formulas get too.

Importing this module imports no numeric library. Import NumPy inside the formula: then `mlspec validate` need not wait for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ScoredForecasts:
    """Forecasts and actual values as arrays, one entry per row: the input of the formulas.

    A row is a series and a period that was forecast from a cutoff. `actual` and `mean` are in the unit of the demand. `mase_scale`
    is the mean |y_t - y_(t-season)| of the series' history before the cutoff, and `rmsse_scale` its mean (y_t - y_(t-1))^2; NaN or
    0 where there is none. `quantiles` holds the forecasts of each quantile in rising order, for the metrics that need them.
    `series` has the name of each row's series (unique_id); it is filled for the formulas of packages alone, and their arrays
    cannot be written to.
    """

    actual: Array
    mean: Array
    mase_scale: Array
    rmsse_scale: Array
    quantiles: Mapping[float, Array]
    series: npt.NDArray[np.object_]

    @property
    def interval(self) -> tuple[Array, Array]:
        """The forecasts of the lowest and of the highest quantile."""
        levels = tuple(self.quantiles.values())
        return levels[0], levels[-1]


@dataclass(frozen=True, kw_only=True)
class AccuracyMetric:
    """A metric: its formula, and what tables and checks have to know of it.

    `formula` is called with at least one row. It returns a finite number from `low` to `high`, or None where the rows tell nothing
    (all demand is zero). The same rows have to give the same number: it must not depend on the time, on files or on chance.

    `title` heads its column, `meaning` explains it in one sentence. A `share` is shown in percent, a `ratio` as a number. Less is
    better, unless `ideal` says from which value too low and too high are both worse: then no champion is chosen by it, and an
    alert names a range. `quantiles` is how many quantiles a spec must have for it; if it is above 0, only rows with all quantiles
    are scored.
    """

    formula: Callable[[ScoredForecasts], float | None]
    title: str
    meaning: str
    unit: Literal["share", "ratio"] = "ratio"
    low: float = 0.0
    high: float = math.inf
    ideal: float | None = None
    quantiles: int = 0
