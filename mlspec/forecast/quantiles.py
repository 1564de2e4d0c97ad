"""Quantiles by conformal prediction: their width comes from the errors of past forecasts at the same step of the horizon.

Split conformal prediction on signed residuals (Vovk et al. 2005; Lei et al. 2018). The residuals of the backtest are divided by
their series' scale and pooled over series, and over neighbouring steps of the horizon if there are few. In the backtest each window
is calibrated on the other windows only, so its coverage is not measured on its own residuals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.frame import MEAN, TARGET
from mlspec.forecast.scales import FLOOR, SCALE

Array = npt.NDArray[np.float64]
STEP, CUTOFF = "h", "cutoff"
# Residuals needed beyond the outermost quantile. With fewer, neighbouring steps are added.
TAIL = 5


def quantile_column(quantile: float) -> str:
    """Return the column of a quantile: q0.1."""
    return f"q{quantile:g}"


def own_column(quantile: float) -> str:
    """Return the column of a model's own quantile, which is where the conformal one starts: own_q0.1."""
    return f"own_{quantile_column(quantile)}"


def calibrate_windows(rows: pd.DataFrame, quantiles: Sequence[float]) -> pd.DataFrame:
    """Return one candidate's backtest rows with a column per quantile, each window calibrated on the other windows.

    With a single window there are no residuals to calibrate on, and the quantiles are missing.
    """
    parts = [
        add_quantiles(window, rows[rows[CUTOFF] != cutoff], quantiles)
        for cutoff, window in rows.groupby(CUTOFF, sort=True)
    ]
    return pd.concat(parts, ignore_index=True)


def add_quantiles(forecast: pd.DataFrame, past: pd.DataFrame, quantiles: Sequence[float]) -> pd.DataFrame:
    """Return `forecast` (h, mean, scale, floor) with a column per quantile, from the residuals of `past` (h, y, mean, scale).

    Quantiles never cross, as they are order statistics of one sample. They are never below the series' floor.

    Where both frames have a model's own quantiles (`own_column`), each is corrected by the errors of itself instead of those of the
    mean (Romano et al. 2019), and then they are put in order (Chernozhukov et al. 2010).
    """
    if all(
        own_column(q) in frame and frame[own_column(q)].notna().any() for q in quantiles for frame in (forecast, past)
    ):
        columns = [_calibrated(forecast, past, own_column(q), [q], quantiles) for q in quantiles]
        values = np.sort(np.column_stack(columns), axis=1)
    else:
        values = _calibrated(forecast, past, MEAN, quantiles, quantiles)
    values = np.maximum(values, forecast[FLOOR].to_numpy()[:, None])
    return forecast.assign(**{quantile_column(q): values[:, position] for position, q in enumerate(quantiles)})


def _calibrated(
    forecast: pd.DataFrame, past: pd.DataFrame, start: str, quantiles: Sequence[float], all_quantiles: Sequence[float]
) -> Array:
    """Return quantiles, as columns: the column `start` of the forecast, and the quantiles of what it missed by in the past."""
    steps = _residuals_by_step(past, start)
    need = math.ceil(TAIL / min(min(q, 1 - q) for q in all_quantiles))
    offsets = np.full((len(forecast), len(quantiles)), np.nan)
    for step, where in forecast.groupby(STEP, sort=True).indices.items():
        pool = _pool_residuals(steps, int(str(step)), need)
        if pool.size:
            offsets[where] = np.quantile(pool, quantiles, method="weibull")
    values: Array = forecast[start].to_numpy()[:, None] + offsets * forecast[SCALE].to_numpy()[:, None]
    return values


def _residuals_by_step(past: pd.DataFrame, start: str) -> dict[int, Array]:
    residuals = ((past[TARGET] - past[start]) / past[SCALE]).to_numpy()
    return {
        int(str(step)): residuals[where][np.isfinite(residuals[where])]
        for step, where in past.groupby(STEP, sort=True).indices.items()
    }


def _pool_residuals(steps: dict[int, Array], step: int, need: int) -> Array:
    """Return the residuals of `step` and of as many neighbouring steps on both sides as are needed for `need` residuals."""
    for reach in range(max([*steps, step], default=0) + 1):
        near = [steps[other] for other in sorted(steps) if abs(other - step) <= reach]
        pool = np.concatenate(near) if near else np.empty(0)
        if pool.size >= need:
            return pool
    return np.concatenate([steps[other] for other in sorted(steps)]) if steps else np.empty(0)
