"""Quantiles by conformal prediction: their width comes from the errors of past forecasts at the same step of the horizon.

Split conformal prediction on signed residuals (Vovk et al. 2005; Lei et al. 2018). The residuals of the backtest are divided by
their series' scale, by the usual size at their step of the horizon, and by how much larger or smaller the errors of their series
are than others'. What is left is pooled over series, and over neighbouring steps of the horizon if there are few. So a series
that is hard to forecast has wider intervals than one that is easy, and late steps have wider ones than early ones. The sizes that
divide a residual are those of the other windows, as they will be for the next forecast (`forecast.window_sizes`). In the
backtest each window is calibrated on the other windows only, so its coverage is not measured on its own residuals.

A forecast that was off to the same side in all past windows, more than chance explains, is corrected by what is sure of that. One
that lies outside of its own interval is replaced by the mean of the distribution, if that lies inside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.frame import CUTOFF, ID, MEAN, STEP, TARGET
from mlspec.forecast.scales import FLOOR, SCALE
from mlspec.forecast.window_sizes import PlacedErrors, leave_out_own, measure_sizes

Array = npt.NDArray[np.float64]
# The candidate's own mean, before its correction: residuals are measured against it.
RAW = "raw_mean"
# Residuals needed beyond the outermost quantile. With fewer, neighbouring steps are added.
TAIL = 5
# One-sided level at which past windows have to be off to one side before a mean is corrected, and the fewest that can tell.
SURE, FEWEST_WINDOWS = 0.99, 3


def quantile_column(quantile: float) -> str:
    """Return the column of a quantile: q0.1."""
    return f"q{quantile:g}"


def own_column(quantile: float) -> str:
    """Return the column of a model's own quantile, which is where the conformal one starts: own_q0.1."""
    return f"own_{quantile_column(quantile)}"


def calibrate_windows(rows: pd.DataFrame, quantiles: Sequence[float]) -> pd.DataFrame:
    """Return one candidate's backtest rows, by cutoff, with a column per quantile, each window calibrated on the other windows.

    With a single window there are no residuals to calibrate on, and the quantiles are missing.
    """
    rows = rows.sort_values(CUTOFF, kind="stable", ignore_index=True)
    own = [name for name in map(own_column, quantiles) if name in rows]
    calibrated = calibrate_means(rows, rows[[MEAN, *own]], quantiles)
    return rows.assign(**{str(name): calibrated[name] for name in calibrated})


def calibrate_means(periods: pd.DataFrame, means: pd.DataFrame, quantiles: Sequence[float]) -> pd.DataFrame:
    """Return `means` (mean, a model's own quantiles) of a backtest's `periods`, row by row, as `calibrate_windows` does.

    What many candidates forecast of the same periods needs no copy of them for each one.
    """
    made = means.assign(**dict.fromkeys((RAW, *map(quantile_column, quantiles)), np.nan))
    codes, cutoffs = pd.factorize(periods[CUTOFF])
    for number in range(len(cutoffs)):
        window, other = (_learning_rows(periods, means, chosen) for chosen in (codes == number, codes != number))
        for name, values in _measure_quantiles(window, other, quantiles).items():
            made.loc[codes == number, name] = values
    return made


def _learning_rows(periods: pd.DataFrame, means: pd.DataFrame, chosen: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """Return some rows with what quantiles are made of, and no other column: they are copied."""
    needed = [name for name in (ID, CUTOFF, STEP, TARGET, SCALE, FLOOR) if name in periods]
    return periods.loc[chosen, needed].assign(**{str(name): means.loc[chosen, name] for name in means})


def add_quantiles(forecast: pd.DataFrame, past: pd.DataFrame, quantiles: Sequence[float]) -> pd.DataFrame:
    """Return `forecast` (unique_id, h, mean, scale, floor) with its mean corrected, its own mean, and a column per quantile.

    `past` are rows of a backtest (unique_id, cutoff, h, y, mean or the candidate's own mean, scale). Quantiles never cross, as they
    are order statistics of one sample. Neither they nor the mean are below the series' floor.

    Where both frames have a model's own quantiles (`own_column`), each is corrected by the errors of itself instead of those of the
    mean (Romano et al. 2019), and then they are put in order (Chernozhukov et al. 2010).
    """
    return forecast.assign(**_measure_quantiles(forecast, past, quantiles))


def _measure_quantiles(forecast: pd.DataFrame, past: pd.DataFrame, quantiles: Sequence[float]) -> dict[str, Array]:
    """Return the columns that `add_quantiles` adds."""
    return Calibration.of(past, quantiles, with_own=has_own_quantiles(forecast, quantiles)).measure_quantiles(forecast)


def has_own_quantiles(rows: pd.DataFrame, quantiles: Sequence[float]) -> bool:
    """Return whether a model's own quantiles are among the columns of `rows`, each with a value."""
    return all(name in rows and rows[name].notna().any() for name in map(own_column, quantiles))


@dataclass(frozen=True)
class Calibration:
    """What a backtest says of the errors of the next forecast. It is measured once, and makes the quantiles of any of its rows.

    `own`: the errors of a model's own quantiles, one by one; empty where they are not used.
    """

    quantiles: tuple[float, ...]
    errors: PastErrors = field(repr=False)
    own: tuple[PastErrors, ...] = field(repr=False)

    @classmethod
    def of(cls, past: pd.DataFrame, quantiles: Sequence[float], *, with_own: bool) -> Calibration:
        """Measure the rows of a backtest (`add_quantiles`). `with_own`: whether the forecast has a model's own quantiles."""
        need = math.ceil(TAIL / min(min(q, 1 - q) for q in quantiles))
        errors = _measure_errors(past, RAW if RAW in past else MEAN, quantiles, need)
        use_own = with_own and has_own_quantiles(past, quantiles)
        own = [_measure_errors(past, own_column(q), [q], need) for q in quantiles] if use_own else []
        return cls(tuple(quantiles), errors, tuple(own))

    def add_quantiles(self, forecast: pd.DataFrame) -> pd.DataFrame:
        """Return rows of a forecast with the columns that `add_quantiles` adds. Each row is by itself."""
        return forecast.assign(**self.measure_quantiles(forecast))

    def measure_quantiles(self, forecast: pd.DataFrame) -> dict[str, Array]:
        """Return the columns that `add_quantiles` adds."""
        if self.own:
            starts = map(own_column, self.quantiles)
            columns = [_calibrate(forecast, errors, start) for errors, start in zip(self.own, starts, strict=True)]
            values = np.sort(np.column_stack(columns), axis=1)
        else:
            values = _calibrate(forecast, self.errors, MEAN)
        mean, floor = forecast[MEAN].to_numpy(), forecast[FLOOR].to_numpy()
        values = np.maximum(values, floor[:, None])
        corrected = np.maximum(_correct_mean(forecast, self.errors, values), floor) if self.errors.by_step else mean
        by_quantile = {quantile_column(q): values[:, position] for position, q in enumerate(self.quantiles)}
        return {RAW: mean, MEAN: corrected, **by_quantile}


def _correct_mean(forecast: pd.DataFrame, errors: PastErrors, values: Array) -> Array:
    """Return the mean with what is sure of its error; where all quantiles still lie on one side of it, that of the distribution.

    The mean of intermittent demand may lie above all quantiles, and is right: there the distribution's own lies outside too. A
    distribution of few residuals is no reason to leave the candidate's mean.
    """
    shifts = forecast[STEP].map(errors.shifts).fillna(0.0).to_numpy()
    mean: Array = forecast[MEAN].to_numpy() + shifts * forecast[SCALE].to_numpy()
    expected = _offset_means(forecast, errors)
    inside = (expected >= values[:, 0]) & (expected <= values[:, -1])
    outside = (mean < values[:, 0]) | (mean > values[:, -1])
    return np.where(inside & outside, expected, mean)


def _offset_means(forecast: pd.DataFrame, errors: PastErrors) -> Array:
    """Return the mean of each row's distribution: that of the residuals around the forecast."""
    means = {int(str(step)): errors.at_step(int(str(step))).mean for step in forecast[STEP].unique()}
    sizes = forecast[STEP].map({step: mean * errors.size_at(step) for step, mean in means.items()}).to_numpy()
    own = forecast[ID].map(errors.by_series).fillna(1.0).to_numpy()
    result: Array = forecast[MEAN].to_numpy() + sizes * own * forecast[SCALE].to_numpy()
    return result


def _calibrate(forecast: pd.DataFrame, errors: PastErrors, start: str) -> Array:
    """Return quantiles, as columns: the column `start` of the forecast, and the quantiles of what it missed by in the past."""
    own = forecast[ID].map(errors.by_series).fillna(1.0).to_numpy()
    offsets = np.full((len(forecast), len(errors.quantiles)), np.nan)
    for step, where in forecast.groupby(STEP, sort=True).indices.items():
        found = errors.at_step(int(str(step)))
        if found.quantiles is not None:
            size = errors.size_at(int(str(step)))
            offsets[where] = found.quantiles * size * own[where, None]
    values: Array = forecast[start].to_numpy()[:, None] + offsets * forecast[SCALE].to_numpy()[:, None]
    return values


@dataclass(frozen=True)
class StepResiduals:
    """The residuals that count at a step: their quantiles, None without a residual; their mean, NaN of too few."""

    quantiles: Array | None
    mean: float


@dataclass(frozen=True)
class PastErrors:
    """`by_step`: residuals in sizes of their step and series; `sizes` and `shifts` by step; `by_series`: relative size.

    `quantiles` are those that are asked for, and `need` is the number of residuals that they need.
    """

    by_step: dict[int, Array]
    sizes: dict[int, float]
    shifts: dict[int, float]
    by_series: pd.Series
    quantiles: tuple[float, ...]
    need: int
    _known_steps: dict[int, StepResiduals] = field(default_factory=dict, init=False, compare=False, repr=False)

    def at_step(self, step: int) -> StepResiduals:
        """Return what the residuals of a step say. It is computed once."""
        if step not in self._known_steps:
            pool = self._pool(step)
            quantiles = np.quantile(pool, self.quantiles, method="weibull") if pool.size else None
            mean = float(pool.mean()) if 2 * pool.size >= self.need else np.nan
            self._known_steps[step] = StepResiduals(quantiles, mean)
        return self._known_steps[step]

    def _pool(self, step: int) -> Array:
        """Return the residuals of `step` and of as many neighbouring steps on both sides as are needed."""
        for reach in range(max([*self.by_step, step], default=0) + 1):
            near = [self.by_step[other] for other in sorted(self.by_step) if abs(other - step) <= reach]
            pool = np.concatenate(near) if near else np.empty(0)
            if pool.size >= self.need:
                return pool
        return np.concatenate([self.by_step[other] for other in sorted(self.by_step)]) if self.by_step else np.empty(0)

    def size_at(self, step: int) -> float:
        """Return the usual size of an error at a step, or at the nearest that was measured."""
        return self.sizes[min(self.sizes, key=lambda other: (abs(other - step), other))]


def _measure_errors(past: pd.DataFrame, start: str, quantiles: Sequence[float], need: int) -> PastErrors:
    """Return what the column `start` missed by in the past."""
    residuals = ((past[TARGET] - past[start]) / past[SCALE]).to_numpy(dtype="float64")
    known = np.isfinite(residuals)
    rows = past.loc[known, [ID, CUTOFF, STEP]].assign(residual=residuals[known])
    if rows.empty:
        return PastErrors({}, {}, {}, pd.Series(dtype="float64"), tuple(quantiles), need)
    (steps, numbers), (series, names) = pd.factorize(rows[STEP], sort=True), pd.factorize(rows[ID])
    errors = PlacedErrors(np.abs(residuals[known]), steps, series, pd.factorize(rows[CUTOFF])[0])
    sizes = measure_sizes(errors)
    relative = residuals[known] / leave_out_own(errors, sizes)
    return PastErrors(
        {int(number): relative[steps == place] for place, number in enumerate(numbers)},
        {int(number): float(size) for number, size in zip(numbers, sizes.by_step, strict=True)},
        _sure_shifts(rows),
        pd.Series(sizes.by_series, index=pd.Index(names, dtype=object)),
        tuple(quantiles),
        need,
    )


def _sure_shifts(rows: pd.DataFrame) -> dict[int, float]:
    """Return by step what is sure of the mean error over windows: nothing, unless all windows agree more than chance explains.

    The mean is shrunk towards nothing by its squared error of estimate (James & Stein 1961), times the squared t-value of SURE.
    """
    by_window = rows["residual"].groupby([rows[STEP], rows[CUTOFF]]).mean().unstack(CUTOFF)
    windows = by_window.shape[1] if len(rows) else 0
    if windows < FEWEST_WINDOWS:
        return {}
    from scipy.stats import t

    mean, variance = by_window.mean(axis=1), by_window.var(axis=1, ddof=1) / windows
    beyond = float(t.ppf(SURE, windows - 1)) ** 2
    kept = (1 - beyond * variance / (mean**2).where(mean != 0, 1.0)).clip(lower=0.0).fillna(0.0)
    return {int(str(step)): float(value) for step, value in (mean * kept).items() if value}
