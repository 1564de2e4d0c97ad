"""The present state of each forecast, from the target's record."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from mlspec.engine.clock import observe_corrected
from mlspec.engine.defects import as_error
from mlspec.engine.effects import checked_fates
from mlspec.errors import StateError, StateUnreachable, TargetError
from mlspec.plan.moments import format_moment, parse_moment
from mlspec.plan.ready import DESTROYED, is_ready, why_not_ready
from mlspec.plan.releases import release_spec
from mlspec.plan.schedule import next_run
from mlspec.plan.serving import observed_traffic, stable_version
from mlspec.plan.started_work import progressing_condition
from mlspec.state.ledger import Ledger
from mlspec.state.notice import PendingNotice
from mlspec.state.observed import Observed
from mlspec.state.record import CONDITION_OF, Condition, ForecastRun
from mlspec.state.resource import Json
from mlspec.targets.base import Target

logger = logging.getLogger(__name__)

_RETIRED = "Retired"


@dataclass(frozen=True, slots=True)
class ForecastStatus:
    """The present state of one forecast. `serving` holds each version with its traffic in percent; times are RFC 3339 in UTC.

    `why` says why it is not ready, `kept_out` which newer version the gate rejected; both are empty if there is nothing to say.
    `metrics` are the champion's in its backtest; `ledger` is what the loop remembers, including the realised metrics.
    `undelivered` are the notices that a receiver did not accept: those that are tried again, and those that were given up.
    `backfills` are the forecasts that were filled in for past moments, the last made first.
    `series` are sentences on the series that have no forecast, or a simple one.
    `problems` are sentences on what is wrong with the record itself; `is_readable` is False if the record cannot be read.
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
    undelivered: tuple[PendingNotice, ...] = ()
    backfills: tuple[ForecastRun, ...] = ()
    problems: tuple[str, ...] = ()
    is_readable: bool = True
    series: tuple[str, ...] = ()


def find_status(target: Target, name: str, now: datetime) -> ForecastStatus:
    """Return the present state of one forecast, also if nothing is applied. A record that cannot be read is a state too.

    Raises TargetError if the target does not answer: that is not about one forecast.
    """
    moment = format_moment(now)
    try:
        if _is_known(target, name):
            return forecast_status(target, name, now)
        return not_applied(name, moment, was_destroyed=bool(target.load_releases(name)))
    except (TargetError, StateUnreachable):
        raise
    except Exception as error:  # one forecast's record does not hide the others
        logger.debug("the record of %s cannot be read", name, exc_info=error)
        return _unreadable(name, as_error(error).message, moment)


def _is_known(target: Target, name: str) -> bool:
    """Return whether a forecast has resources, or its first attempt has failed or is under way."""
    observed = target.observe_forecast(name)
    return bool(observed.resources or observed.ledger.under_way) or any(
        condition.status == "False" for condition in observed.conditions
    )


def forecast_status(target: Target, name: str, now: datetime) -> ForecastStatus:
    """Return the recorded state of one forecast, with damage to the resources that apply made."""
    observed, correction = observe_corrected(target, name, format_moment(now))
    progressing = progressing_condition(name, observed.ledger)
    conditions = (*_with_damage(observed.conditions, observed, format_moment(now)), *progressing)
    next_moment, next_problem = _next_run_at(target, name, observed.ledger, now)
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
        last_run=target.find_newest_run(name),
        next_run=next_moment,
        undelivered=tuple(pending for pending in target.load_undelivered_notices(name) if pending.problem),
        backfills=target.load_backfills(name),
        problems=((f"{correction.sentence}; the next pass records it",) if correction else ()) + next_problem,
        series=checked_fates(observed),
    )


def not_applied(name: str, now: str, *, was_destroyed: bool = False) -> ForecastStatus:
    """Return the state of a forecast that is not applied, or not any more."""
    message = DESTROYED if was_destroyed else "nothing is applied: run `mlspec apply`"
    return _without_record(Condition(name, "Deployed", "Unknown", "NotApplied", message, now))


def without_spec(status: ForecastStatus) -> ForecastStatus:
    """Return the state of a forecast that no spec describes. Where nothing of it is applied, apply cannot help: it is retired."""
    if not any(condition.reason == "NotApplied" for condition in status.conditions):
        return replace(status, problems=(*status.problems, without_spec_sentence(status.name)))
    message = (
        "nothing is applied, and no spec under specs/ describes it: its history is kept until "
        f"`mlspec destroy {status.name} --purge`"
    )
    retired = replace(status.conditions[0], reason=_RETIRED, message=message)
    return replace(status, why=message, conditions=(retired,))


def without_spec_sentence(name: str) -> str:
    """Return what to say of a forecast that is applied and that no spec describes."""
    return f"no spec under specs/ describes it any more; `mlspec destroy {name}` removes it"


def is_retired(status: ForecastStatus) -> bool:
    """Return whether a forecast was taken down and has no spec any more, so that only its history is left."""
    return any(condition.reason == _RETIRED for condition in status.conditions)


def _unreadable(name: str, message: str, now: str) -> ForecastStatus:
    condition = Condition(name, "Deployed", "Unknown", "RecordUnreadable", message, now)
    return replace(_without_record(condition), is_readable=False)


def _without_record(condition: Condition) -> ForecastStatus:
    return ForecastStatus(
        condition.forecast, False, condition.message, "", (condition,), (), None, None, {}, Ledger(), None, None
    )


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


def _next_run_at(target: Target, name: str, ledger: Ledger, now: datetime) -> tuple[str | None, tuple[str, ...]]:
    """Return the next run of the newest release, and what is wrong if its spec cannot be read.

    A moment that was handled is not due again where the clock was set back since (`plan.clock`).
    """
    release = next(iter(target.load_releases(name)), None)
    try:
        schedule = release_spec(release).schedule if release else None
    except StateError as error:
        return None, (f"the next run is not known: {error.message}",)
    handled = ledger.slots.get("forecast")
    after = max(now, parse_moment(handled)) if handled else now
    moment = next_run(schedule.forecast, schedule.timezone, after) if schedule else None
    return (format_moment(moment) if moment else None), ()
