"""Regression with smoothed errors: known covariates and waves of the seasons explain a series, smoothing continues the rest.

What `forecast.effects` leaves of a series is forecast by exponential smoothing with a damped trend and no season. Then the effects
of the horizon's own covariates and seasons are put back (Hyndman & Athanasopoulos 2021, chapter 10).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mlspec.forecast.candidates.local import forecast_models
from mlspec.forecast.candidates.short import LEAST, forecast_by_length
from mlspec.forecast.effects import estimate_effects
from mlspec.forecast.frame import ID, TARGET, TIME, Panel
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import Workers
from mlspec.spec.candidates import Regression


@dataclass(frozen=True)
class RegressionModel:
    """The candidate: `seasons` in periods, and the pairs of Fourier terms of each (None: chosen per series)."""

    label: str
    seasons: tuple[float, ...]
    fourier: int | None

    def forecast(self, panel: Panel) -> pd.DataFrame:
        """Return unique_id, ds, mean, series by series."""
        return forecast_by_length(panel, LEAST, self._forecast_long_series)

    def to_bytes(self) -> bytes | None:
        """Return None: each forecast estimates the model from the panel."""
        return None

    def _forecast_long_series(self, panel: Panel) -> pd.DataFrame:
        from statsforecast.models import AutoETS

        effects = estimate_effects(panel, self.seasons, waves=True, fourier=self.fourier)
        rest = effects.adjusted_panel().frame[[ID, TIME, TARGET]]
        means = forecast_models(self.label, AutoETS(model="ZZN", damped=True), rest, panel.layout)
        return effects.restore_means(means)


def fit(candidate: Regression, panel: PartedPanel, seed: int, workers: Workers) -> RegressionModel:
    """Return the candidate; its effects are estimated at each forecast."""
    del seed, workers
    seasons = candidate.season or panel.layout.frequency.seasons
    return RegressionModel(candidate.label, tuple(float(season) for season in seasons), candidate.fourier)
