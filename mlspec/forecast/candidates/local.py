"""Shared code of the statistical families: one statsforecast model per series, with a simpler forecast for short series.

The fitted state is not stored. Level, trend and season must be estimated from the newest history at each forecast anyway, and the
estimation is deterministic. The settings (kind, season, library version) are enough to repeat it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlspec.errors import ModelError
from mlspec.forecast.candidates.short import LEAST, forecast_by_length
from mlspec.forecast.effects import estimate_effects
from mlspec.forecast.frame import ID, MEAN, TARGET, TIME, Layout, Panel, describe_series
from mlspec.spec.candidates import LONGEST_STATE

logger = logging.getLogger(__name__)
Build = Callable[[int], Any]  # a season (1 for none) to a statsforecast model


@dataclass(frozen=True)
class StatisticalModel:
    """A statistical candidate. `build` makes the model for a season.

    A series shorter than `seasons` times the season is forecast without one, and one of fewer than `least` periods by its
    last value. With `covariates`, the effects of known covariates are taken out before and put back afterwards.
    """

    label: str
    build: Build
    season: int
    seasons: int
    least: int = LEAST
    covariates: bool = False

    def forecast(self, panel: Panel) -> pd.DataFrame:
        """Return unique_id, ds, mean, series by series."""
        return forecast_by_length(panel, self.least, self._forecast_long_series)

    def _forecast_long_series(self, panel: Panel) -> pd.DataFrame:
        return (
            forecast_adjusted(panel, self._forecast_by_season) if self.covariates else self._forecast_by_season(panel)
        )

    def _forecast_by_season(self, panel: Panel) -> pd.DataFrame:
        lengths = panel.series_lengths
        seasonal = (lengths >= self.season * self.seasons) & (self.season > 1)
        groups = [(self.season, lengths.index[seasonal]), (1, lengths.index[~seasonal])]
        return pd.concat(
            [
                forecast_models(
                    self.label, self.build(season), panel.select_series(ids).frame[[ID, TIME, TARGET]], panel.layout
                )
                for season, ids in groups
                if len(ids)
            ]
        )

    def to_bytes(self) -> bytes | None:
        """Return None: each forecast estimates the model from the panel."""
        return None


def adjust_long_season(build: Build, season: int) -> Any:
    """Return the model of `build` for a season; for a long one, on series that are seasonally adjusted.

    They are adjusted by STL (Cleveland et al. 1990), and the last season's pattern is added to the forecast.
    """
    from statsforecast.models import MSTL

    return MSTL(season_length=season, trend_forecaster=build(1)) if season > LONGEST_STATE else build(season)


def forecast_adjusted(panel: Panel, forecast: Callable[[Panel], pd.DataFrame]) -> pd.DataFrame:
    """Return `forecast` of a panel without the effects of its known covariates, and those of the horizon put back."""
    if not panel.layout.known:
        return forecast(panel)
    effects = estimate_effects(panel, panel.layout.frequency.seasons, waves=False)
    means = forecast(effects.adjusted_panel())
    return effects.restore_means(means.sort_values([ID, TIME], ignore_index=True))


def forecast_models(label: str, model: Any, frame: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """Return unique_id, ds, mean of every series of `frame` (unique_id, ds, y), each forecast by a model of its own.

    A series to which the model cannot be fitted is forecast by theta, which the log says: one of many must not leave all others
    without a forecast. The backtest scores the candidate so, too. Raises ModelError if the library fails nevertheless.
    """
    from statsforecast import StatsForecast
    from statsforecast.models import Theta

    instead = _Counted(Theta(season_length=layout.season))
    engine = StatsForecast(models=[model], freq=layout.frequency.offset, n_jobs=1, fallback_model=instead)
    try:
        means = engine.forecast(df=frame, h=layout.horizon)
    except MemoryError:  # not an error of the candidate
        raise
    except Exception as error:  # the library raises bare Exception
        names = describe_series([str(name) for name in frame[ID].unique()])
        raise ModelError(
            f"candidate '{label}' cannot be fitted to series {names}: {error}",
            hint="leave this candidate out of model.candidates, or give it another season",
        ) from error
    if instead.count:
        logger.warning("candidate '%s' cannot be fitted to %d series, which theta forecasts", label, instead.count)
    means.columns = [ID, TIME, MEAN]
    return means.astype({MEAN: "float64"})


class _Counted:
    """A model of statsforecast that forecasts in place of another, and counts how often."""

    def __init__(self, model: Any) -> None:
        self._model, self.count = model, 0

    def forecast(self, **words: Any) -> Any:
        self.count += 1
        return self._model.forecast(**words)
