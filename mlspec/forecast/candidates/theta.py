"""Dynamic optimised theta (Fiorucci et al. 2016): strong on short series with a trend."""

from __future__ import annotations

from typing import Any

from mlspec.forecast.candidates.local import StatisticalModel, adjust_long_season
from mlspec.forecast.frame import Panel
from mlspec.forecast.workers import Workers
from mlspec.spec.candidates import Theta


def fit(candidate: Theta, panel: Panel, seed: int, workers: Workers) -> StatisticalModel:
    """Return the candidate; its parameters are estimated at each forecast."""
    del seed, workers
    season = candidate.season or panel.layout.season
    return StatisticalModel(candidate.label, _build_model, season, seasons=2, covariates=candidate.covariates)


def _build_model(season: int) -> Any:
    return adjust_long_season(season, _build_short)


def _build_short(season: int) -> Any:
    from statsforecast.models import DynamicOptimizedTheta

    return DynamicOptimizedTheta(season_length=season)
