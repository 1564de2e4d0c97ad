"""Corrects stored moments that lie in the future, so that a clock that was once ahead stops no work.

A moment of something that has happened (a handled run, a rollback, a training) cannot be later than now. If one is later by more
than TOLERANCE, a clock was ahead when it was recorded. It would stop work until that moment comes: a run is not due, a cooldown
does not end, a budget is used up. So it counts as now, and the next pass records it so.

A moment that is planned lies in the future by its nature. `until` of a silence is as long after its creation as the person asked,
so it moves with its creation. A retry (`plan.backoff`) and a notice's next attempt (`plan.delivery`) have a longest pause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mlspec.plan.moments import format_moment, parse_moment
from mlspec.state.ledger import Failure, Ledger, Silence
from mlspec.state.observed import Observed
from mlspec.state.resource import Kind

# How far a stored moment may lie ahead of the clock and still be believed. A clock that is ahead by a day, or by a wrong time zone
# (26 h at most, between UTC-12 and UTC+14), is soon reached by the true time. Until then what it handled stays handled, so that a
# forecast is not made twice. Beyond that the wait would be too long: an hourly forecast would be missing for more than two days.
TOLERANCE = timedelta(days=2)
_DEPLOYMENT: Kind = "deployment"


@dataclass(frozen=True, slots=True)
class ClockCorrection:
    """A corrected observed state. `parts` names what was corrected, `newest` is the latest wrong moment, `now` the present one."""

    observed: Observed
    parts: tuple[str, ...]
    newest: str
    now: str

    @property
    def sentence(self) -> str:
        """What was wrong, and what it counts as."""
        return (
            f"a clock was ahead: it recorded {', '.join(self.parts)} for moments up to {self.newest}, "
            f"later than now ({self.now}); these moments count as now"
        )


def correct_clock(observed: Observed, now: str) -> ClockCorrection | None:
    """Return a forecast's state without moments in the future; None if there are none further ahead than TOLERANCE.

    If one is further ahead, every act later than now was recorded by a wrong clock. Their order is kept, as decisions compare
    them: the latest becomes now, each earlier one a second before the next. A schedule's handled moment is corrected by itself.
    Work that failed while the clock was ahead is tried again: data may have looked too old then.
    """
    acts = tuple(_acts(observed))
    moved = _past_moments({at for _part, at in acts}, now)
    ledger = observed.ledger
    slots = {name: at for name, at in ledger.slots.items() if _is_far_ahead(at, now)}
    if not moved and not slots:
        return None
    wrong = [(part, at) for part, at in acts if at in moved] + [(f"slots.{name}", at) for name, at in slots.items()]
    corrected = _with_moments(observed, moved)
    after = replace(corrected.ledger, slots={**ledger.slots, **dict.fromkeys(slots, now)})
    return ClockCorrection(
        replace(corrected, ledger=after),
        tuple(sorted({part for part, _at in wrong})),
        max((at for _part, at in wrong), key=parse_moment),
        now,
    )


def _is_far_ahead(at: str, now: str) -> bool:
    return parse_moment(at) > parse_moment(now) + TOLERANCE


def _past_moments(moments: set[str], now: str) -> dict[str, str]:
    """Return the corrected moment of each one that is later than now; empty if none is further ahead than TOLERANCE."""
    ahead = sorted((at for at in moments if parse_moment(at) > parse_moment(now)), key=parse_moment, reverse=True)
    if not ahead or not _is_far_ahead(ahead[0], now):
        return {}
    return {at: format_moment(parse_moment(now) - timedelta(seconds=place)) for place, at in enumerate(ahead)}


def _acts(observed: Observed) -> Iterator[tuple[str, str]]:
    """Yield the moment of each recorded act, with the part of the state that holds it."""
    ledger = observed.ledger
    named = {
        "alerts": [at for alert in ledger.alerts for at in (alert.since, alert.began) if at],
        "rollout": [ledger.rollout.started, ledger.rollout.since] if ledger.rollout else [],
        "hold": [ledger.hold.at] if ledger.hold else [],
        "quarantine": [bad.at for bad in ledger.quarantined],
        "rollbacks": [rollback.at for rollback in ledger.rollbacks],
        "silences": [silence.at for silence in ledger.silences],
        "failure": [ledger.failure.at] if ledger.failure else [],
        "trainings": list(ledger.trainings),
        "deployment": [str(observed.find_fact(_DEPLOYMENT, "since") or "")],
        "conditions": [condition.since for condition in observed.conditions],
    }
    yield from ((part, at) for part, moments in named.items() for at in moments if _is_moment(at))


def _is_moment(text: str) -> bool:
    """Return whether a text is a moment. Older states may hold other texts where no decision reads them."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _with_moments(observed: Observed, moved: Mapping[str, str]) -> Observed:
    """Return the state with these moments in place of the wrong ones."""
    resources, deployment = dict(observed.resources), observed.resources.get(_DEPLOYMENT)
    since = deployment.facts.get("since") if deployment else None
    if deployment and isinstance(since, str) and since in moved:
        resources[_DEPLOYMENT] = replace(deployment, facts={**deployment.facts, "since": moved[since]})
    conditions = tuple(
        replace(condition, since=moved.get(condition.since, condition.since)) for condition in observed.conditions
    )
    return replace(observed, resources=resources, conditions=conditions, ledger=_ledger_with(observed.ledger, moved))


def _ledger_with(ledger: Ledger, moved: Mapping[str, str]) -> Ledger:
    def at(moment: str) -> str:
        return moved.get(moment, moment)

    rollout, hold = ledger.rollout, ledger.hold
    return replace(
        ledger,
        alerts=tuple(replace(alert, since=at(alert.since), began=at(alert.began)) for alert in ledger.alerts),
        rollout=rollout and replace(rollout, started=at(rollout.started), since=at(rollout.since)),
        hold=hold and replace(hold, at=at(hold.at)),
        quarantined=tuple(replace(bad, at=at(bad.at)) for bad in ledger.quarantined),
        rollbacks=tuple(replace(rollback, at=at(rollback.at)) for rollback in ledger.rollbacks),
        silences=tuple(_moved_silence(silence, at(silence.at)) for silence in ledger.silences),
        failure=_kept_failure(ledger.failure, moved),
        trainings=tuple(map(at, ledger.trainings)),
    )


def _moved_silence(silence: Silence, at: str) -> Silence:
    """Return a silence with another creation, and as long as before."""
    if at == silence.at:
        return silence
    span = parse_moment(silence.until) - parse_moment(silence.at)
    return replace(silence, at=at, until=format_moment(parse_moment(at) + span))


def _kept_failure(failure: Failure | None, moved: Mapping[str, str]) -> Failure | None:
    return None if failure and failure.at in moved else failure
