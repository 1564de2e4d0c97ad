"""What known covariates and the waves of the seasons do to each series, by least squares.

The model of a series is a sum, or a product where all its values are above zero and the product fits better. Fourier terms stand
for the seasons, so that a covariate is not blamed for them; their number is chosen by AICc, as is whether covariates are used.
Effects are shrunk a little (ridge): a promotion that a series had once counts half of what it seemed to do then. A covariate
that did not vary in a series' history has no effect on it. Source: Hyndman & Athanasopoulos 2021, chapters 7 and 10.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.features import CategoryEncoder
from mlspec.forecast.frame import ID, MEAN, TARGET, TIME, Panel, horizon_frame

Array = npt.NDArray[np.float64]
# The most pairs of Fourier terms of one season: waves shorter than a tenth of a long season are seldom more than noise.
MOST_TERMS = 10
# Fewest periods for each covariate whose effect is estimated. Harrell (2015) asks for 10 to 20 where all effects are unknown.
PERIODS_PER_COVARIATE = 5


@dataclass(frozen=True)
class SeriesEffects:
    """What covariates (`known`) and seasons (`waves`) add to a series over history and horizon; to its logarithm in a product."""

    known: Array
    waves: Array
    is_product: bool

    def take_out(self, values: Array, *, waves: bool) -> Array:
        """Return the values of the history without the effects of covariates, and of seasons if `waves`."""
        effects = self._effects(waves=waves)[: len(values)]
        return values / np.exp(effects) if self.is_product else values - effects

    def put_back(self, means: Array, *, waves: bool) -> Array:
        """Return forecasts of the horizon with the effects that `take_out` took."""
        effects = self._effects(waves=waves)[-len(means) :]
        return means * np.exp(effects) if self.is_product else means + effects

    def _effects(self, *, waves: bool) -> Array:
        return self.known + self.waves if waves else self.known


@dataclass(frozen=True)
class PanelEffects:
    """The effects of each series of a panel, in the order of its rows. Its seasons are taken out with `waves`."""

    panel: Panel
    by_series: tuple[SeriesEffects, ...]
    waves: bool

    def adjusted_panel(self) -> Panel:
        """Return the panel with the effects taken out of its history."""
        values = self.panel.frame[TARGET].to_numpy(dtype="float64")
        parts = [
            effects.take_out(values[rows], waves=self.waves)
            for effects, rows in zip(self.by_series, series_rows(self.panel.frame), strict=True)
        ]
        return replace(self.panel, frame=self.panel.frame.assign(**{TARGET: np.concatenate(parts)}))

    def restore_means(self, means: pd.DataFrame) -> pd.DataFrame:
        """Return forecasts of the adjusted panel (unique_id, ds, mean; sorted) with the effects put back."""
        values = means[MEAN].to_numpy()
        parts = [
            effects.put_back(values[rows], waves=self.waves)
            for effects, rows in zip(self.by_series, series_rows(means), strict=True)
        ]
        return means.assign(**{MEAN: np.concatenate(parts)})


def estimate_effects(
    panel: Panel, seasons: tuple[float, ...], *, waves: bool, fourier: int | None = None
) -> PanelEffects:
    """Estimate the effects on each series. `seasons` in periods; `fourier`: pairs of terms of each, None to choose."""
    history, ahead = covariate_values(panel)
    values = panel.frame[TARGET].to_numpy(dtype="float64")
    steps = panel.layout.horizon
    found = [
        estimate_series(values[rows], history[rows], ahead[number * steps : (number + 1) * steps], seasons, fourier)
        for number, rows in enumerate(series_rows(panel.frame))
    ]
    return PanelEffects(panel, tuple(found), waves)


def series_rows(frame: pd.DataFrame) -> Iterator[slice]:
    """Yield the rows of each series of a sorted frame."""
    ids = frame[ID].to_numpy()
    starts = [0, *(np.flatnonzero(ids[1:] != ids[:-1]) + 1), len(ids)]
    for start, end in pairwise(starts):
        yield slice(int(start), int(end))


def estimate_series(
    values: Array, history: Array, ahead: Array, seasons: tuple[float, ...], fourier: int | None
) -> SeriesEffects:
    """Estimate the effects on one series. `history` and `ahead` have a column for each covariate."""
    count, covariates = len(values), np.concatenate([history, ahead])
    if count < PERIODS_PER_COVARIATE * history.shape[1]:
        covariates = covariates[:, :0]
    usable = tuple(season for season in seasons if season >= 2 and count >= 2 * season)
    fits = [_choose_terms(values, covariates, usable, fourier)]
    if covariates.shape[1]:
        fits.append(_choose_terms(values, covariates[:, :0], usable, fourier))
    if values.min() > 0:
        logs, shift = (
            np.log(values),
            2 * float(np.log(values).sum()),
        )  # the criterion is of the values, not of their logarithms
        fits += [
            replace(fitted, is_product=True, criterion=fitted.criterion + shift)
            for fitted in (
                _choose_terms(logs, columns, usable, fourier)
                for columns in ([covariates, covariates[:, :0]] if covariates.shape[1] else [covariates])
            )
        ]
    best = min(fits, key=lambda fitted: fitted.criterion)
    return SeriesEffects(best.known, best.waves, best.is_product)


@dataclass(frozen=True)
class _Fitted:
    known: Array
    waves: Array
    criterion: float
    is_product: bool = False


def _choose_terms(values: Array, covariates: Array, seasons: tuple[float, ...], fourier: int | None) -> _Fitted:
    """Fit covariates and seasons, and add the season's terms one season after the other, as many as the criterion allows."""
    waves = covariates[:, :0]
    best = _fit(values, covariates, waves)
    for season in seasons:
        options = [
            np.column_stack([waves, _fourier_terms(season, terms, len(covariates))])
            for terms in _numbers_of_terms(season, fourier)
        ]
        fits = [_fit(values, covariates, columns) for columns in options]
        chosen = min(range(len(fits)), key=lambda number: fits[number].criterion)
        best, waves = fits[chosen], options[chosen]
    return best


def _fit(values: Array, covariates: Array, waves: Array) -> _Fitted:
    """Fit the columns (periods of history and horizon) to the values of the history by penalised least squares."""
    count = len(values)
    scaled = _scale(covariates, count)
    columns = np.column_stack([scaled, waves - waves[:count].mean(axis=0)])
    number = columns.shape[1]
    if not number:
        nothing = np.zeros(len(columns))
        return _Fitted(nothing, nothing, _aicc(values - values.mean(), 1))
    penalty = np.diag(np.where(np.arange(number) < scaled.shape[1], 1.0, 1e-9))
    past = columns[:count]
    effects = np.linalg.solve(past.T @ past + penalty, past.T @ (values - values.mean()))
    rest = values - values.mean() - past @ effects
    split = scaled.shape[1]
    return _Fitted(columns[:, :split] @ effects[:split], columns[:, split:] @ effects[split:], _aicc(rest, 1 + number))


def _scale(covariates: Array, count: int) -> Array:
    """Return covariates around their mean, the largest distance in the history being 1; one that did not vary is nothing.

    A value of the horizon beyond those of the history counts as the nearest of them: nothing is known of its effect.
    """
    past = covariates[:count]
    covariates = np.clip(covariates, past.min(axis=0, initial=np.inf), past.max(axis=0, initial=-np.inf))
    centred = covariates - covariates[:count].mean(axis=0)
    largest = np.abs(centred[:count]).max(axis=0, initial=0.0)
    varies = largest > 1e-9 * np.abs(covariates[:count]).max(axis=0, initial=0.0)
    return np.where(varies, centred / np.where(varies, largest, 1.0), 0.0)


def _aicc(rest: Array, parameters: int) -> float:
    """Return Akaike's criterion with the correction for few periods (Hurvich & Tsai 1989); infinite with too few."""
    count = len(rest)
    if count - parameters - 1 <= 0:
        return math.inf
    variance = max(float(rest @ rest) / count, 1e-300)
    return count * math.log(variance) + 2 * parameters * count / (count - parameters - 1)


def _numbers_of_terms(season: float, fourier: int | None) -> range:
    """Return the numbers of pairs to try: the given one, or from none to as many as a season has waves."""
    most = min(math.ceil(season / 2) - 1, MOST_TERMS) or 1
    return range(most + 1) if fourier is None else range(min(fourier, most), min(fourier, most) + 1)


def _fourier_terms(season: float, terms: int, count: int) -> Array:
    """Return sines and cosines of the first `terms` waves of a season, for `count` periods."""
    angles = 2 * np.pi * np.outer(np.arange(count), np.arange(1, terms + 1)) / season
    return np.column_stack([np.sin(angles), np.cos(angles)])


def covariate_values(panel: Panel) -> tuple[Array, Array]:
    """Return the known covariates of history and horizon as numbers: one column for each number, one for each category.

    A number that is missing, as in a period without a row, is the mean of its series: so it says nothing of that period.
    """
    known = list(panel.layout.known)
    ahead = horizon_frame(panel).merge(panel.future[[ID, TIME, *known]], on=[ID, TIME], how="left")
    categories = CategoryEncoder.from_panel(panel).categories
    columns = [_as_columns(panel.frame[[ID, name]], ahead[[ID, name]], categories.get(name)) for name in known]
    history = [pair[0] for pair in columns] or [np.empty((len(panel.frame), 0))]
    future = [pair[1] for pair in columns] or [np.empty((len(ahead), 0))]
    return np.column_stack(history), np.column_stack(future)


def _as_columns(history: pd.DataFrame, ahead: pd.DataFrame, categories: list[str] | None) -> tuple[Array, Array]:
    """Return one covariate, the second column beside the series' id, as columns of numbers."""
    name = history.columns[1]
    if categories is not None:
        names = pd.Index(categories)
        return _one_hot(history[name], names), _one_hot(ahead[name], names)
    past, future = history[name].astype("float64"), ahead[name].astype("float64")
    if past.hasnans or future.hasnans:
        means = past.groupby(history[ID], sort=False).mean()
        # Without any value it is 0, and no mean of other series: what is forecast must not depend on which series are in a part.
        past, future = (
            values.fillna(ids.map(means)).fillna(0.0) for values, ids in ((past, history[ID]), (future, ahead[ID]))
        )
    return past.to_numpy()[:, None], future.to_numpy()[:, None]


def _one_hot(column: pd.Series, names: pd.Index) -> npt.NDArray[Any]:
    return (column.to_numpy()[:, None] == names.to_numpy()[None, :]).astype("float64")
