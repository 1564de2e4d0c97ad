"""Seasonal naive: the value one season ago. It is the baseline that other candidates have to beat."""

from __future__ import annotations

from typing import Any

from mlspec.forecast.candidates.local import StatisticalModel
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import Workers
from mlspec.spec.candidates import SeasonalNaive


def fit(candidate: SeasonalNaive, panel: PartedPanel, seed: int, workers: Workers) -> StatisticalModel:
    """Return the candidate; it needs no training."""
    del seed, workers
    return StatisticalModel(candidate.label, _build_model, candidate.season or panel.layout.season, seasons=1, least=1)


def _build_model(season: int) -> Any:
    from statsforecast.models import Naive, SeasonalNaive

    return SeasonalNaive(season) if season > 1 else Naive()
