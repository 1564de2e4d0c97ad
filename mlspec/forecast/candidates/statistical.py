"""The statistical candidates with a season: ETS, CES, ARIMA and theta, each one model for each series.

ETS, CES and ARIMA choose their form for each series by AICc (Hyndman & Khandakar 2008; Svetunkov, Kourentzes & Ord 2022). Theta is
dynamic optimised theta (Fiorucci et al. 2016), strong on short series with a trend.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from mlspec.forecast.candidates.local import Build, StatisticalModel, adjust_long_season
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import Workers
from mlspec.spec.candidates import AutoArima, AutoCes, AutoEts, Theta


def fit(
    candidate: AutoArima | AutoCes | AutoEts | Theta, panel: PartedPanel, seed: int, workers: Workers
) -> StatisticalModel:
    """Return the candidate; its form and parameters are estimated at each forecast."""
    del seed, workers
    return StatisticalModel(
        candidate.label,
        partial(adjust_long_season, _BUILDERS[candidate.kind]),
        candidate.season or panel.layout.season,
        seasons=2,
        covariates=candidate.covariates,
    )


def _build_ets(season: int) -> Any:
    from statsforecast.models import AutoETS

    return AutoETS(season_length=season) if season > 1 else AutoETS(model="ZZN")


def _build_ces(season: int) -> Any:
    from statsforecast.models import AutoCES

    return AutoCES(season_length=season, model="Z" if season > 1 else "N")


def _build_arima(season: int) -> Any:
    from statsforecast.models import AutoARIMA

    # Orders are compared by their conditional sum of squares, as R's auto.arima does for long series: several times faster.
    return AutoARIMA(season_length=season, approximation=True)


def _build_theta(season: int) -> Any:
    from statsforecast.models import DynamicOptimizedTheta

    return DynamicOptimizedTheta(season_length=season)


# kind: the library's model for a season; 1 for none.
_BUILDERS: dict[str, Build] = {
    "auto-ets": _build_ets,
    "auto-ces": _build_ces,
    "auto-arima": _build_arima,
    "theta": _build_theta,
}
