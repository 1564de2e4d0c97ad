"""What is so now, per forecast: from what a target shows, never from what somebody remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from mlspec.plan.ready import ready, why_not
from mlspec.plan.schedule import next_run
from mlspec.plan.serving import stable, traffic
from mlspec.state.ledger import Ledger
from mlspec.state.observed import Observed
from mlspec.state.record import CONDITION_OF, Condition, ForecastRun
from mlspec.state.resource import Json
from mlspec.targets.base import Target


@dataclass(frozen=True, slots=True)
class Status:
    """One forecast now. `serving` holds a version and its traffic in percent; times are RFC 3339 in UTC, or None.

    `why` says what keeps it from being ready, `kept_out` which newer version the gate keeps from serving; empty, if nothing does.
    `metrics` are the champion's in its backtest; `ledger` is what the loop remembers, the realised metrics among it.
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


def status(target: Target, name: str, now: datetime) -> Status:
    """Return the state of one forecast as recorded, with damage to what apply made."""
    observed = target.observe(name)
    conditions = _with_damage(observed.conditions, observed, f"{now:%Y-%m-%dT%H:%M:%SZ}")
    champion = stable(observed)
    version = next((found for found in target.versions(name) if found.version == champion), None)
    return Status(
        name=name,
        ready=ready(conditions),
        why=why_not(conditions),
        kept_out=_kept_out(conditions),
        conditions=conditions,
        serving=tuple({"version": key, "traffic": share} for key, share in traffic(observed).items()),
        champion=champion,
        candidate=version.candidate if version else None,
        metrics=version.metrics if version else {},
        ledger=observed.ledger,
        last_run=next(iter(target.runs(name)), None),
        next_run=_next(target, name, now),
    )


def not_applied(name: str, now: str) -> Status:
    """Return the state of a forecast of which nothing stands."""
    message = "nothing is applied: run `mlspec apply`"
    condition = Condition(name, "Deployed", "Unknown", "NotApplied", message, now)
    return Status(name, False, message, "", (condition,), (), None, None, {}, Ledger(), None, None)


def _kept_out(conditions: tuple[Condition, ...]) -> str:
    return next((found.message for found in conditions if found.reason == "GateClosed"), "")


def _with_damage(conditions: tuple[Condition, ...], observed: Observed, now: str) -> tuple[Condition, ...]:
    broken = {CONDITION_OF[kind]: seen.damage for kind, seen in observed.seen.items() if seen.damage}
    return tuple(
        replace(
            found,
            status="False",
            reason="Damaged",
            message=f"{broken[found.type]}; `mlspec apply` makes it again",
            since=now,
        )
        if found.type in broken
        else found
        for found in conditions
    )


def _next(target: Target, name: str, now: datetime) -> str | None:
    release = next(iter(target.releases(name)), None)
    schedule = release.spec["schedule"] if release else None
    found = next_run(schedule["forecast"], schedule["timezone"], now) if schedule else None
    return f"{found:%Y-%m-%dT%H:%M:%SZ}" if found else None
