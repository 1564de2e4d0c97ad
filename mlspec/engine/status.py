"""The present state of each forecast, from the target's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from mlspec.plan.ready import is_ready, why_not_ready
from mlspec.plan.releases import release_spec
from mlspec.plan.schedule import next_run
from mlspec.plan.serving import observed_traffic, stable_version
from mlspec.state.ledger import Ledger
from mlspec.state.observed import Observed
from mlspec.state.record import CONDITION_OF, Condition, ForecastRun
from mlspec.state.resource import Json
from mlspec.targets.base import Target


@dataclass(frozen=True, slots=True)
class ForecastStatus:
    """The present state of one forecast. `serving` holds each version with its traffic in percent; times are RFC 3339 in UTC.

    `why` says why it is not ready, `kept_out` which newer version the gate rejected; both are empty if there is nothing to say.
    `metrics` are the champion's in its backtest; `ledger` is what the loop remembers, including the realised metrics.
    """

    name: str
    ready: bool
    why: str
    kept_out: str
    conditions: tuple[Condition, ...]
    serving: tuple[Mapping[str, Json], ...]
    champion: str | None
    candidate: str | None
    metrics: Mapping[str, float | None]
    ledger: Ledger
    last_run: ForecastRun | None
    next_run: str | None


def forecast_status(target: Target, name: str, now: datetime) -> ForecastStatus:
    """Return the recorded state of one forecast, with damage to the resources that apply made."""
    observed = target.observe_forecast(name)
    conditions = _with_damage(observed.conditions, observed, f"{now:%Y-%m-%dT%H:%M:%SZ}")
    champion = stable_version(observed)
    version = next(
        (past_version for past_version in target.load_versions(name) if past_version.version == champion), None
    )
    return ForecastStatus(
        name=name,
        ready=is_ready(conditions),
        why=why_not_ready(conditions),
        kept_out=_kept_out(conditions),
        conditions=conditions,
        serving=tuple({"version": key, "traffic": share} for key, share in observed_traffic(observed).items()),
        champion=champion,
        candidate=version.candidate if version else None,
        metrics=version.metrics if version else {},
        ledger=observed.ledger,
        last_run=next(iter(target.load_runs(name)), None),
        next_run=_next_run_at(target, name, now),
    )


def not_applied(name: str, now: str) -> ForecastStatus:
    """Return the state of a forecast that is not applied."""
    message = "nothing is applied: run `mlspec apply`"
    condition = Condition(name, "Deployed", "Unknown", "NotApplied", message, now)
    return ForecastStatus(name, False, message, "", (condition,), (), None, None, {}, Ledger(), None, None)


def _kept_out(conditions: tuple[Condition, ...]) -> str:
    return next((condition.message for condition in conditions if condition.reason == "GateClosed"), "")


def _with_damage(conditions: tuple[Condition, ...], observed: Observed, now: str) -> tuple[Condition, ...]:
    broken = {CONDITION_OF[kind]: seen.damage for kind, seen in observed.resources.items() if seen.damage}
    return tuple(
        replace(
            condition,
            status="False",
            reason="Damaged",
            message=f"{broken[condition.type]}; `mlspec apply` makes it again",
            since=now,
        )
        if condition.type in broken
        else condition
        for condition in conditions
    )


def _next_run_at(target: Target, name: str, now: datetime) -> str | None:
    release = next(iter(target.load_releases(name)), None)
    schedule = release_spec(release).schedule if release else None
    moment = next_run(schedule.forecast, schedule.timezone, now) if schedule else None
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None
