"""Drift metrics of the newest data: the distribution of demand, the number of rows, new and vanished series.

Values are divided by their series' level in the season before the window and pooled over series. So large and small series have the
same weight. Slow growth, which forecasts follow, is not drift; a jump inside the window is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Panel
from mlspec.forecast.stored_panel import PartedPanel

Array = npt.NDArray[np.float64]
# At most ten bins, fewer if a bin would hold less than ten values of the smaller sample; no value below three bins.
MOST_BINS, FEWEST_BINS, PER_BIN = 10, 3, 10
FEWEST_VALUES = 20  # fewest values of each sample for `ks`
MOST_KEPT = 5_000_000  # values of scaled windows, 40 MB
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


@dataclass(frozen=True)
class DemandWindows:
    """The windows of a table (a row per period, a column per series), of one length in periods; each is scaled once and kept.

    No more than MOST_KEPT values are kept, so that the memory of a large panel is bounded.
    """

    table: Array
    length: int
    season: int
    kept: dict[int, Array] = field(default_factory=dict)

    def scaled(self, end: int) -> Array:
        """Return the values of the window that ends before row `end`, as multiples of each series' level before it."""
        if end in self.kept:
            return self.kept[end]
        values = _scaled_values(self.table, end, self.length, self.season)
        if (len(self.kept) + 1) * self.length * self.table.shape[1] <= MOST_KEPT:
            self.kept[end] = values
        return values


def drift_samples(windows: DemandWindows, baseline: DriftBaseline, back: int) -> tuple[Array, Array]:
    """Return (expected, actual) for the window that ends `back` periods before the newest."""
    end = len(windows.table) - back
    actual = windows.scaled(end)
    if baseline.name == "training":
        return _values_before(windows.table, end - windows.length), actual
    ends = range(end - baseline.season, windows.length, -baseline.season) if baseline.season > 1 else range(0)
    parts = [windows.scaled(window_end) for window_end in ends]
    return (np.concatenate(parts) if parts else np.empty(0)), actual


def observed_table(panel: PartedPanel) -> pd.DataFrame:
    """Return the observed values, with a row per period and a column per series; missing if not observed."""
    tables = [_observed_part(read()) for read in panel.part_readers()]
    return tables[0] if len(tables) == 1 else pd.concat(tables, axis=1).sort_index().sort_index(axis=1)


def _observed_part(panel: Panel) -> pd.DataFrame:
    frame = panel.frame[[ID, TIME, TARGET, OBSERVED]]
    observed = frame.assign(**{TARGET: frame[TARGET].where(frame[OBSERVED])})
    return observed.pivot(index=TIME, columns=ID, values=TARGET).sort_index()


def _scaled_values(table: Array, end: int, window: int, season: int) -> Array:
    """Return the values of the window that ends before row `end`, as multiples of each series' level in the season before it."""
    start = end - window
    before = table[max(start - max(season, window), 0) : max(start, 0)]
    if start < 0 or len(before) < window:
        return np.empty(0)
    return _multiples(table[start:end], before)


def _values_before(table: Array, end: int) -> Array:
    """Return all values before row `end`, as multiples of each series' level over them."""
    past = table[: max(end, 0)]
    return _multiples(past, past)


def _multiples(values: Array, of: Array) -> Array:
    """Return values as multiples of the mean size of each series (a column) in `of`; without those that have none."""
    seen = np.isfinite(of)
    counts, sums = seen.sum(axis=0), np.where(seen, np.abs(of), 0.0).sum(axis=0)
    level = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=sums > 0)
    multiples = (values / level).ravel()
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
