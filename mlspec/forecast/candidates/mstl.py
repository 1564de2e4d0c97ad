"""Seasonal adjustment for one season or several (Bandara, Hyndman & Bergmeir 2021), and exponential smoothing of the rest."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mlspec.forecast.candidates.local import forecast_adjusted, forecast_models
from mlspec.forecast.candidates.short import LEAST, forecast_by_length
from mlspec.forecast.frame import ID, TARGET, TIME, Panel
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import Workers
from mlspec.spec.candidates import Mstl


@dataclass(frozen=True)
class MstlModel:
    """The candidate: `seasons` in periods, rising. A series is adjusted for those that it has twice."""

    label: str
    seasons: tuple[int, ...]
    covariates: bool

    def forecast(self, panel: Panel) -> pd.DataFrame:
        """Return unique_id, ds, mean, series by series."""
        return forecast_by_length(panel, LEAST, self._forecast_long_series)

    def to_bytes(self) -> bytes | None:
        """Return None: each forecast estimates the model from the panel."""
        return None

    def _forecast_long_series(self, panel: Panel) -> pd.DataFrame:
        return (
            forecast_adjusted(panel, self._forecast_by_seasons) if self.covariates else self._forecast_by_seasons(panel)
        )

    def _forecast_by_seasons(self, panel: Panel) -> pd.DataFrame:
        lengths = panel.series_lengths
        usable = sum((lengths > 2 * season).astype("int64") for season in self.seasons)
        parts = [
            self._forecast_with(self.seasons[: int(number)], panel.select_series(ids.index))
            for number, ids in lengths.groupby(usable)
        ]
        return pd.concat(parts)

    def _forecast_with(self, seasons: tuple[int, ...], panel: Panel) -> pd.DataFrame:
        from statsforecast.models import MSTL, AutoETS

        smooth = AutoETS(model="ZZN")
        model = MSTL(season_length=list(seasons), trend_forecaster=smooth) if seasons else smooth
        return forecast_models(self.label, model, panel.frame[[ID, TIME, TARGET]], panel.layout)


def fit(candidate: Mstl, panel: PartedPanel, seed: int, workers: Workers) -> MstlModel:
    """Return the candidate; its parts are estimated at each forecast."""
    del seed, workers
    seasons = candidate.season or panel.layout.frequency.seasons
    return MstlModel(
        candidate.label, tuple(sorted({round(season) for season in seasons if season >= 2})), candidate.covariates
    )
