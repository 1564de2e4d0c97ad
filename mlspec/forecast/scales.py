"""The scales of series: errors are divided by them, so that series of all sizes can be pooled and compared."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlspec.forecast.frame import ID, OBSERVED, TARGET, Panel
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import collect_parts

SCALE, MASE_SCALE, RMSSE_SCALE, FLOOR = "scale", "mase_scale", "rmsse_scale", "floor"


def series_scales(panel: PartedPanel) -> pd.DataFrame:
    """Return one row per series, from its history up to the cutoff only.

    `mase_scale`: mean |y_t - y_(t-season)| (lag 1 while the history is no longer than a season); `rmsse_scale`: mean
    (y_t - y_(t-1))^2; both NaN for a single period. `scale`: as mase_scale, but always above 0, to pool residuals. `floor`: 0 if
    no value was ever negative, else -inf.
    """
    return collect_parts(panel, _measure_scales)


def _measure_scales(panel: Panel) -> pd.DataFrame:
    frame, season = panel.frame, panel.layout.season
    values = frame[TARGET]
    # Once: of millions of rows, to look up names takes longest.
    ids, names = pd.factorize(frame[ID], sort=True)
    groups = values.groupby(ids)
    by_season = (values - groups.shift(season)).abs().groupby(ids).mean()
    by_one = values - groups.shift(1)
    mase = by_season.fillna(by_one.abs().groupby(ids).mean())
    level = values.abs().groupby(ids).mean()
    scale = mase.where(mase > 0, level).where(lambda scale_values: scale_values > 0, 1.0)
    lowest = values.where(frame[OBSERVED]).groupby(ids).min()
    floor = pd.Series(np.where(lowest >= 0, 0.0, -np.inf), index=lowest.index)
    scale_values = {SCALE: scale, MASE_SCALE: mase, RMSSE_SCALE: (by_one**2).groupby(ids).mean(), FLOOR: floor}
    return pd.DataFrame(scale_values).set_axis(pd.Index(names, name=ID)).reset_index()
