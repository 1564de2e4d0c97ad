"""Stock levels from the forecast distribution: periodic review with an order-up-to level.

At each review an order brings the stock position up to S, and the next order arrives after review period R and lead time L:
S has to last for L + R periods (Silver, Pyke & Thomas 2017, ch. 7, the (R, S) system). With D the demand forecast and E
its error over the protection interval L + R,

    safety_stock  = the service level's quantile of E, never below 0
    order_up_to   = D(L + R) + safety_stock
    reorder_point = D(L) + safety_stock

The reorder point is the expected stock position just before the next review. If orders between reviews are possible, order when
the position falls to it. No distribution of E is assumed: it is the empirical distribution of the summed backtest errors, divided
by the series' scale and pooled over series. This keeps the correlation of errors between periods, which square-root-of-time rules
ignore.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.errors import ModelError
from mlspec.forecast.frame import ID, MEAN, TARGET
from mlspec.forecast.quantiles import CUTOFF, STEP
from mlspec.forecast.scales import SCALE
from mlspec.spec.forecast import Inventory

FORMULA = (
    "order_up_to = forecast demand over lead time + review period + safety stock; safety stock = the service level's "
    "quantile of the backtest's summed errors over that interval (Silver, Pyke & Thomas 2017, ch. 7, (R, S) system)"
)


@dataclass(frozen=True)
class StockLevels:
    """`table`: unique_id, protection_demand, safety_stock, reorder_point, order_up_to; `samples`: number of errors used."""

    table: pd.DataFrame
    samples: int


def protection_periods(inventory: Inventory, horizon: int) -> int:
    """Return lead time + review period, in periods. Raises ModelError if that exceeds the horizon."""
    periods = inventory.lead_time + inventory.review_period
    if periods > horizon:
        raise ModelError(
            f"inventory: lead_time {inventory.lead_time} + review_period {inventory.review_period} is {periods} periods, "
            f"and model.horizon is only {horizon}",
            hint=f"set model.horizon to {periods} or more",
        )
    return periods


def stock_levels(
    *, forecast: pd.DataFrame, backtest: pd.DataFrame, scale: pd.DataFrame, inventory: Inventory, horizon: int
) -> StockLevels:
    """Return the stock levels of every series.

    `forecast`: unique_id, h, mean; `backtest`: the champion's rows; `scale`: unique_id and scale as of the cutoff.
    """
    periods = protection_periods(inventory, horizon)
    errors = summed_errors(backtest, periods)
    margin = safety_margin(errors, inventory.service_level)
    table = pd.DataFrame({"protection_demand": _cumulative_demand(forecast, periods)})
    lead_demand = _cumulative_demand(forecast, inventory.lead_time).reindex(table.index, fill_value=0.0)
    table["safety_stock"] = margin * scale.set_index(ID)[SCALE].reindex(table.index)
    table["reorder_point"] = lead_demand + table["safety_stock"]
    table["order_up_to"] = table["protection_demand"] + table["safety_stock"]
    return StockLevels(table.rename_axis(ID).reset_index(), len(errors))


def add_zero_stock(table: pd.DataFrame, ended: pd.Index) -> pd.DataFrame:
    """Return the stock levels with those of series that have ended: nothing is sold, and nothing has to be there."""
    if not len(ended):
        return table
    levels = [name for name in table if name != ID]
    zeros = pd.DataFrame({ID: ended}).assign(**dict.fromkeys(levels, 0.0))
    return pd.concat([table, zeros], ignore_index=True).sort_values(ID, ignore_index=True)


def _cumulative_demand(forecast: pd.DataFrame, periods: int) -> pd.Series:
    """Return each series' forecast summed over its first `periods` periods."""
    return forecast[forecast[STEP] <= periods].groupby(ID, sort=True)[MEAN].sum()


def summed_errors(backtest: pd.DataFrame, periods: int) -> npt.NDArray[np.float64]:
    """Return actual minus forecast over each series' and cutoff's first `periods` periods, divided by the series' scale.

    A sum over a period without an actual value is left out. Raises ModelError if no sum is left.
    """
    rows = backtest[backtest[STEP] <= periods]
    error = (rows[TARGET] - rows[MEAN]) / rows[SCALE]
    sums = error.groupby([rows[ID], rows[CUTOFF]], sort=True).sum(min_count=periods)
    sorted_errors = np.sort(sums.dropna().to_numpy())
    if not sorted_errors.size:
        raise ModelError(
            "inventory: no backtest window has actual values over the whole protection interval",
            hint="fill the gaps in the history, or use more backtest windows",
        )
    return sorted_errors


def safety_margin(errors: npt.NDArray[np.float64], service_level: float) -> float:
    """Return the errors' quantile at the service level, at least 0; above n / (n + 1), use the normal distribution.

    n errors have quantiles up to n / (n + 1). For a higher level, the result is the larger of their maximum and the normal quantile
    with their mean and standard deviation, so that a higher service level never gives a lower stock.
    """
    if service_level <= len(errors) / (len(errors) + 1):
        return max(0.0, float(np.quantile(errors, service_level, method="weibull")))
    deviation = float(errors.std(ddof=1)) if len(errors) > 1 else abs(float(errors[0]))
    normal = float(errors.mean()) + NormalDist().inv_cdf(service_level) * deviation
    return max(0.0, float(errors.max()), normal if math.isfinite(normal) else 0.0)
