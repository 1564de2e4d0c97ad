"""Classes of demand: smooth, erratic, intermittent and lumpy (Syntetos, Boylan & Croston 2005).

Series of one class have errors of about one shape, and of a size that says something of each other's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlspec.forecast.facts import INTERMITTENT, INTERVAL, measure_intervals
from mlspec.forecast.frame import ID, TARGET, Panel
from mlspec.forecast.stock.origins import Codes
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import collect_parts

CLASSES = ("smooth", "erratic", "intermittent", "lumpy")
# Squared coefficient of variation of the demands from which their size is variable (Syntetos, Boylan & Croston 2005).
VARIABLE = 0.49
_VARIATION = "variation"


def demand_classes(panel: PartedPanel, series: pd.Index) -> Codes:
    """Return the place in CLASSES of each of these series; of one without a history in the panel, the first."""
    demand = collect_parts(panel, _measure_demand).set_index(ID).reindex(series)
    intermittent, variable = demand[INTERVAL].ge(INTERMITTENT), demand[_VARIATION].ge(VARIABLE)
    return np.asarray(2 * intermittent.to_numpy(dtype="int64") + variable.to_numpy(dtype="int64"))


def _measure_demand(panel: Panel) -> pd.DataFrame:
    """Return each series' interval between demands, and the squared coefficient of variation of these."""
    demands = panel.frame.loc[panel.frame[TARGET] != 0, [ID, TARGET]].groupby(ID, sort=True)[TARGET]
    variation = (demands.std(ddof=0) / demands.mean().abs()) ** 2
    return measure_intervals(panel).merge(variation.rename(_VARIATION).reset_index(), on=ID, how="left")
