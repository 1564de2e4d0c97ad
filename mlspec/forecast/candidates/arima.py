"""ARIMA, its orders chosen per series by AICc (Hyndman & Khandakar 2008), with seasonal adjustment for long seasons."""

from __future__ import annotations

from typing import Any

from mlspec.forecast.candidates.local import StatisticalModel, adjust_long_season
from mlspec.forecast.frame import Panel
from mlspec.forecast.workers import Workers
from mlspec.spec.candidates import AutoArima


def fit(candidate: AutoArima, panel: Panel, seed: int, workers: Workers) -> StatisticalModel:
    """Return the candidate; its orders and parameters are estimated at each forecast."""
    del seed, workers
    season = candidate.season or panel.layout.season
    return StatisticalModel(candidate.label, _build_model, season, seasons=2, covariates=candidate.covariates)


def _build_model(season: int) -> Any:
    return adjust_long_season(season, _build_short)


def _build_short(season: int) -> Any:
    from statsforecast.models import AutoARIMA

    # Orders are compared by their conditional sum of squares, as R's auto.arima does for long series: several times faster.
    return AutoARIMA(season_length=season, approximation=True)
