"""In which unit the errors of a series count for its stock levels, where the series never sold anything.

Errors are pooled in the scales of their series. A series that never sold anything has no scale of its own: it is pooled with a
scale of 1, which is not in its unit. A safety stock in that scale would be an order of a whole pack for a product without demand.
So its scale for levels is that of its forecast: none, where nothing is forecast.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.frame import ID, TARGET, TIME, Panel
from mlspec.forecast.stock.origins import Array, Flags
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import collect_parts

_FIRST_SALE = "first_sale"


def first_sales(panel: PartedPanel, series: pd.Index) -> npt.NDArray[np.datetime64]:
    """Return the first period in which each of these series has another value than 0; NaT for one that has none."""
    found = collect_parts(panel, _find_first_sales).set_index(ID)[_FIRST_SALE]
    return found.reindex(series).to_numpy(dtype="datetime64[ns]")


def _find_first_sales(panel: Panel) -> pd.DataFrame:
    sold = panel.frame[TARGET].notna() & (panel.frame[TARGET] != 0)
    first = panel.frame.loc[sold, [ID, TIME]].groupby(ID, sort=True, observed=True)[TIME].min()
    return first.rename(_FIRST_SALE).reset_index()


def level_scales(scale: Array, sold: Flags, means: Array) -> Array:
    """Return the scale of each row for levels: its own, or where it never sold anything the mean size of its forecast."""
    forecast = np.where(np.isfinite(means), np.abs(means), 0.0).mean(axis=1)
    return np.where(sold, scale, forecast)
