"""Drift metrics of the newest data: the distribution of demand, the number of rows, new and vanished series.

Values are divided by their series' level in the season before the window and pooled over series. So large and small series have the
same weight. Slow growth, which forecasts follow, is not drift; a jump inside the window is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Panel

Array = npt.NDArray[np.float64]
# At most ten bins, fewer if a bin would hold less than ten values of the smaller sample; no value below three bins.
MOST_BINS, FEWEST_BINS, PER_BIN = 10, 3, 10
FEWEST_VALUES = 20  # fewest values of each sample for `ks`
SMALLEST_SHARE = 1e-4  # used for a bin that is empty in one sample, where the index is undefined


@dataclass(frozen=True)
class DriftBaseline:
    """The baseline of a window: `same-season` (the same periods of earlier seasons) or `training` (all earlier data)."""

    name: str
    season: int


def psi(expected: Array, actual: Array) -> float | None:
    """Population stability index: sum (a - e) ln(a / e) over bins of equal shares of `expected` (Siddiqi 2006, ch. 9).

    Its expected value for two samples of one distribution, (bins - 1) (1/n + 1/m), is subtracted (Yurdakul & Naranjo 2020), so that
    small samples do not look like drift. Never below 0. None if there are too few values for three bins.
    """
    count = min(MOST_BINS, len(expected) // PER_BIN, len(actual) // PER_BIN)
    if count < FEWEST_BINS:
        return None
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, count + 1)[1:-1]))
    shares = [
        np.maximum(
            np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) / len(values),
            SMALLEST_SHARE,
        )
        for values in (expected, actual)
    ]
    stability_index = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    return max(stability_index - len(edges) * (1 / len(expected) + 1 / len(actual)), 0.0)


def ks(expected: Array, actual: Array) -> float | None:
    """Largest distance between two empirical distribution functions (Kolmogorov 1933, Smirnov 1948); None below twenty values."""
    if min(len(expected), len(actual)) < FEWEST_VALUES:
        return None
    from scipy.stats import ks_2samp

    return float(ks_2samp(expected, actual, method="asymp").statistic)


def drift_samples(table: pd.DataFrame, baseline: DriftBaseline, window: int, back: int) -> tuple[Array, Array]:
    """Return (expected, actual) for a window of `window` periods that ends `back` periods before the newest of a wide table."""
    end = len(table) - back
    actual = _scaled_values(table, end, window, baseline.season)
    if baseline.name == "training":
        return _values_before(table, end - window), actual
    ends = range(end - baseline.season, window, -baseline.season) if baseline.season > 1 else range(0)
    parts = [_scaled_values(table, window_end, window, baseline.season) for window_end in ends]
    return (np.concatenate(parts) if parts else np.empty(0)), actual


def observed_table(panel: Panel) -> pd.DataFrame:
    """Return the observed values, with a row per period and a column per series; missing if not observed."""
    frame = panel.frame
    observed = frame.assign(**{TARGET: frame[TARGET].where(frame[OBSERVED])})
    return observed.pivot(index=TIME, columns=ID, values=TARGET).sort_index()


def _scaled_values(table: pd.DataFrame, end: int, window: int, season: int) -> Array:
    """Return the values of the window that ends before row `end`, as multiples of each series' level in the season before it."""
    start = end - window
    before = table.iloc[max(start - max(season, window), 0) : max(start, 0)]
    if start < 0 or len(before) < window:
        return np.empty(0)
    level = before.abs().mean()
    multiples = (table.iloc[start:end] / level.where(level > 0)).to_numpy().ravel()
    return multiples[np.isfinite(multiples)]


def _values_before(table: pd.DataFrame, end: int) -> Array:
    """Return all values before row `end`, as multiples of each series' level over them."""
    past = table.iloc[: max(end, 0)]
    level = past.abs().mean()
    multiples = (past / level.where(level > 0)).to_numpy().ravel()
    return multiples[np.isfinite(multiples)]


def relative_volume(table: pd.DataFrame, season: int, back: int) -> float | None:
    """Return the number of values in the newest period divided by the median of the season before it; None without history."""
    counts = table.notna().sum(axis=1)
    end = len(counts) - back
    usual = counts.iloc[max(end - 1 - max(season, 2), 0) : max(end - 1, 0)]
    if end < 1 or not len(usual) or usual.median() == 0:
        return None
    return float(counts.iloc[end - 1] / usual.median())


def count_new_and_vanished(table: pd.DataFrame, window: int, back: int) -> tuple[float, float] | None:
    """Return the numbers of new and vanished series in the newest `window` periods.

    None if the history is shorter than two windows.
    """
    observed = table.notna()
    end = len(observed) - back
    if end < 2 * window:
        return None
    start = end - window
    in_window, before_window = observed.iloc[start:end].any(), observed.iloc[:start].any()
    in_previous_window = observed.iloc[start - window : start].any()
    return float((in_window & ~before_window).sum()), float((in_previous_window & ~in_window).sum())
