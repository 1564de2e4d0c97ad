"""Accuracy metrics, as functions of arrays. A metric without data or with a zero denominator is None.

FORMULAS has the formula of each metric of the kind `accuracy` in `spec.metrics`; those of packages are called by
`forecast.package_formulas`.

WAPE, bias and pinball loss are divided by the sum of actual demand, so they compare across scales; MASE and RMSSE by the
error of a naive forecast in the history before the cutoff (Hyndman & Koehler 2006; Makridakis et al. 2022, M5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.models.metric import ScoredForecasts

Array = npt.NDArray[np.float64]
Metrics = dict[str, float | None]


def wape(actual: Array, forecast: Array) -> float | None:
    """Weighted absolute percentage error: sum |y - f| / sum |y| (Kolassa & Schuetz 2007)."""
    return _finite_ratio(np.abs(actual - forecast).sum(), np.abs(actual).sum())


def bias(actual: Array, forecast: Array) -> float | None:
    """Relative bias: sum (f - y) / sum |y|. Above 0 the forecast is too high."""
    return _finite_ratio((forecast - actual).sum(), np.abs(actual).sum())


def mase(actual: Array, forecast: Array, scale: Array) -> float | None:
    """Mean absolute scaled error; `scale` is the history's mean |y_t - y_(t-season)|, one value a row.

    Rows of a series whose scale is zero or unknown (a constant history) have no scaled error and are left out.
    """
    return _scaled_mean(np.abs(actual - forecast), scale)


def rmsse(actual: Array, forecast: Array, scale: Array) -> float | None:
    """Root mean squared scaled error; `scale` is the history's mean (y_t - y_(t-1))^2, one value a row."""
    mean = _scaled_mean((actual - forecast) ** 2, scale)
    return None if mean is None else float(np.sqrt(mean))


def pinball(actual: Array, quantiles: Mapping[float, Array]) -> float | None:
    """Pinball loss, mean over the quantiles, divided by the sum of |y| (Koenker & Bassett 1978; scaled as WAPE is)."""
    losses = [quantile_loss(actual, q, f).sum() for q, f in quantiles.items()]
    return _finite_ratio(float(np.mean(losses)), np.abs(actual).sum()) if losses else None


def quantile_loss(actual: Array | pd.Series, quantile: float, forecast: Array | pd.Series) -> Array:
    """Pinball loss of each forecast of a quantile (Koenker & Bassett 1978)."""
    error = np.asarray(actual) - np.asarray(forecast)
    return np.maximum(quantile * error, (quantile - 1) * error)


def coverage(actual: Array, low: Array, high: Array) -> float | None:
    """Share of actual values inside [low, high]."""
    return _finite_ratio(float(((actual >= low) & (actual <= high)).sum()), len(actual))


def _scaled_mean(errors: Array, scale: Array) -> float | None:
    usable = np.isfinite(scale) & (scale > 0)
    return _finite_ratio(float((errors[usable] / scale[usable]).sum()), int(usable.sum()))


def _finite_ratio(above: float, below: float) -> float | None:
    """Return above / below, or None if that is not a finite number."""
    value = float(above) / float(below) if below else float("nan")
    return value if np.isfinite(value) else None


# By the metric's name in `spec.metrics`.
FORMULAS: dict[str, Callable[[ScoredForecasts], float | None]] = {
    "wape": lambda scored: wape(scored.actual, scored.mean),
    "mase": lambda scored: mase(scored.actual, scored.mean, scored.mase_scale),
    "rmsse": lambda scored: rmsse(scored.actual, scored.mean, scored.rmsse_scale),
    "bias": lambda scored: bias(scored.actual, scored.mean),
    "pinball": lambda scored: pinball(scored.actual, scored.quantiles),
    "coverage": lambda scored: coverage(scored.actual, *scored.interval),
}
