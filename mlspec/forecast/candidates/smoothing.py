"""Exponential smoothing, its form chosen per series by AICc (Hyndman & Khandakar 2008).

With a season above 12 periods the seasonal states are too many to estimate well: the series is then seasonally adjusted
by STL (Cleveland et al. 1990), smoothed, and the last season's pattern is added to the forecast. On hourly and weekly series this
is several times faster and more accurate (benchmarks/README.md).
"""

from __future__ import annotations

from typing import Any

from mlspec.forecast.candidates.local import StatisticalModel, adjust_long_season
from mlspec.forecast.frame import Panel
from mlspec.forecast.workers import Workers
from mlspec.spec.candidates import AutoEts


def fit(candidate: AutoEts, panel: Panel, seed: int, workers: Workers) -> StatisticalModel:
    """Return the candidate; its parameters are estimated at each forecast."""
    del seed, workers
    season = candidate.season or panel.layout.season
    return StatisticalModel(candidate.label, _build_model, season, seasons=2, covariates=candidate.covariates)


def _build_model(season: int) -> Any:
    return adjust_long_season(season, _build_short)


def _build_short(season: int) -> Any:
    from statsforecast.models import AutoETS

    return AutoETS(season_length=season) if season > 1 else AutoETS(model="ZZN")
