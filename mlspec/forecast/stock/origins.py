"""Past forecasts beside the actuals, as arrays: a row for each series and cutoff, a column for each step of the horizon."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.frame import CUTOFF, ID, MEAN, STEP, TARGET
from mlspec.forecast.scales import SCALE

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PastForecasts:
    """`actual` and `mean`: a row a series and cutoff, a column a step, NaN where not known. `scale`: of the series then.

    `series`: the place of each row's series among those that levels are asked for; `window`: the number of its cutoff; `sold`:
    whether the series had ever sold anything by then.
    """

    series: Codes
    window: Codes
    scale: Array
    actual: Array
    mean: Array
    sold: Flags

    @property
    def horizon(self) -> int:
        """The number of steps."""
        return self.mean.shape[1]

    def select(self, rows: Flags) -> PastForecasts:
        """Return some of the rows."""
        names = ("series", "window", "scale", "actual", "mean", "sold")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def errors_from(self, first: int) -> Array:
        """Return actual minus mean, summed from the step after `first` on: a column for each number of periods, 0 and more."""
        errors = (self.actual - self.mean)[:, first:]
        return np.concatenate([np.zeros((len(errors), 1)), np.cumsum(errors, axis=1)], axis=1)


def past_forecasts(
    backtest: pd.DataFrame, series: pd.Index, horizon: int, first_sale: npt.NDArray[np.datetime64]
) -> PastForecasts:
    """Return the rows of one candidate's backtest for these series. `first_sale`: the first period in which each sold anything."""
    places = series.get_indexer(backtest[ID])
    rows = backtest[places >= 0]
    windows, cutoffs = pd.factorize(rows[CUTOFF], sort=True)
    keys = places[places >= 0].astype("int64") * len(cutoffs) + windows
    origins, first, row_of = np.unique(keys, return_index=True, return_inverse=True)
    steps = rows[STEP].to_numpy() - 1
    values = {name: np.full((len(origins), horizon), np.nan) for name in (TARGET, MEAN)}
    for name, table in values.items():
        table[row_of, steps] = rows[name]
    scale = rows[SCALE].to_numpy(dtype="float64")[first]
    count = max(len(cutoffs), 1)
    owners, numbers = origins // count, origins % count
    sold = first_sale[owners] <= cutoffs.to_numpy(dtype="datetime64[ns]")[numbers]
    return PastForecasts(owners, numbers, scale, values[TARGET], values[MEAN], sold)


def sums_to(totals: Array, periods: Array) -> Array:
    """Return each row's running total (a column for each number of periods) at its number of periods; between two, in proportion.

    NaN where a period is not known, or beyond the last one.
    """
    whole = np.floor(periods).astype("int64")
    rows, last, part = np.arange(len(totals)), totals.shape[1] - 1, periods - whole
    lower, upper = (totals[rows, np.clip(whole + more, 0, last)] for more in (0, 1))
    values: Array = np.where(part > 0, lower + part * (upper - lower), lower)
    return np.where(np.ceil(periods) > last, np.nan, values)


def running_totals(values: Array) -> Array:
    """Return each row's totals over its first periods: a column for each number of periods, 0 and more."""
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
