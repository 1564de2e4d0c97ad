"""Croston's method and its corrections, for intermittent demand: a flat forecast of the demand rate."""

from __future__ import annotations

from typing import Any

from mlspec.forecast.candidates.local import StatisticalModel
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import Workers
from mlspec.spec.candidates import Croston

# TSB's smoothing constants of size and probability: the middle of the range in Teunter, Syntetos & Babai (2011).
TSB_ALPHA = 0.1


def fit(candidate: Croston, panel: PartedPanel, seed: int, workers: Workers) -> StatisticalModel:
    """Return the candidate; its parameters are estimated at each forecast. It has no season."""
    del panel, seed, workers
    return StatisticalModel(
        candidate.label, lambda _season: _build_model(candidate.variant), season=1, seasons=1, least=1
    )


def _build_model(variant: str) -> Any:
    from statsforecast.models import TSB, CrostonClassic, CrostonOptimized, CrostonSBA

    models: dict[str, Any] = {
        "classic": CrostonClassic,
        "optimized": CrostonOptimized,
        "sba": CrostonSBA,
        "tsb": lambda: TSB(alpha_d=TSB_ALPHA, alpha_p=TSB_ALPHA),
    }
    return models[variant]()
