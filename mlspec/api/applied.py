"""What an apply did, forecast by forecast. The fields are those of `mlspec apply --output json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mlspec.engine.outcome import ForecastOutcome, OutcomeStatus
from mlspec.engine.provision import ApplyResult
from mlspec.errors import MlspecError, with_subject


@dataclass(frozen=True)
class AppliedForecast:
    """What an apply did for one forecast.

    `status` is `applied`, `nothing` (it was up to date), `kept-out` (the gate rejected the new version, and the one before it still
    serves) or `failed`. `version` was judged now or before; `gate` are the sentences of its judgement. `release` and `cutoff` are
    those of the release and the forecast that were made, None if none was. `series` are sentences on series without a forecast.
    """

    forecast: str
    status: OutcomeStatus
    version: str | None
    candidate: str | None
    metrics: Mapping[str, float | None]
    gate: tuple[str, ...]
    release: int | None
    cutoff: str | None
    series: tuple[str, ...]
    error: MlspecError | None


@dataclass(frozen=True)
class AppliedInfrastructure:
    """What an apply did for the infrastructure of one forecast, or for what all of them share."""

    name: str
    status: Literal["nothing", "applied", "failed", "held"]
    error: MlspecError | None


@dataclass(frozen=True)
class ApplyReport:
    """What an apply did. `forecasts` are in the order of the plan; `infrastructure` is empty on a target that has none."""

    forecasts: tuple[AppliedForecast, ...]
    infrastructure: tuple[AppliedInfrastructure, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing failed. A version that the gate kept out is no failure."""
        return not (
            any(folder.error for folder in self.infrastructure) or any(applied.error for applied in self.forecasts)
        )

    def raise_for_errors(self) -> None:
        """Raise the first error, with the name of its forecast before the message; return if there is none."""
        for folder in self.infrastructure:
            if folder.error:
                raise with_subject(folder.error, folder.name)
        for applied in self.forecasts:
            if applied.error:
                raise with_subject(applied.error, applied.forecast)


def make_report(result: ApplyResult) -> ApplyReport:
    """Return the result of the engine as the API shows it."""
    return ApplyReport(
        tuple(map(_applied_forecast, result.outcomes)),
        tuple(
            AppliedInfrastructure(folder.name, folder.status, folder.error) for folder in result.infrastructure or ()
        ),
    )


def _applied_forecast(outcome: ForecastOutcome) -> AppliedForecast:
    version = outcome.version
    return AppliedForecast(
        forecast=outcome.forecast,
        status=outcome.status,
        version=version.version if version else None,
        candidate=version.candidate if version else None,
        metrics=dict(version.metrics) if version else {},
        gate=tuple(version.reasons) if version else (),
        release=outcome.release.release if outcome.release else None,
        cutoff=outcome.run.cutoff if outcome.run else None,
        series=outcome.series,
        error=outcome.error,
    )
