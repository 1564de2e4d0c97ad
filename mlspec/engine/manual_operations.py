"""What people do to a forecast by hand: roll it back, let the loop go on, mute an alert. The loop respects all three."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mlspec.engine import traffic
from mlspec.engine.apply import EFFECTS, perform
from mlspec.engine.context import Engine, Spec
from mlspec.engine.effects import Work, known, whole
from mlspec.errors import Refused, StateError, UsageError
from mlspec.plan.health import healthy
from mlspec.plan.moments import moment, text
from mlspec.plan.serving import good_releases, stable
from mlspec.state.ledger import Hold, Silence
from mlspec.state.observed import Observed, Settlement
from mlspec.state.record import Condition, Event, Release


def roll_back(engine: Engine, spec: Spec, to: int | None, by: str, reason: str, lock_timeout: float = 0.0) -> str:
    """Move a forecast to an earlier good release now, hold it there, and return what was done in a sentence.

    What served until now goes into quarantine. Raises UsageError for a release that is not there, Refused for one
    that cannot serve.
    """
    with engine.target.lock(spec.name, "rollback", engine.clock(), lock_timeout):
        work = Work(engine, engine.wanted(spec))
        observed = engine.target.observe(spec.name)
        serves = str(observed.fact("deployment", "version"))
        release = _wanted(work, observed, to)
        at = engine.clock()
        number = traffic.next_release(work)
        ledger = traffic.quarantined(observed.ledger, serves, f"rolled back by {by}: {reason}", at)
        hold = Hold(number, release.version, by, reason, at, work.wanted.spec_hash)
        said = f"{serves} gives way to {release.version} (release {release.release}), by {by}: {reason}"
        traffic.roll_back(work, known(work, release.version), replace(ledger, hold=hold, rollout=None), said)
        if "data" in observed.seen:
            perform(work, "forecast", EFFECTS["forecast"])
        return f"{said}; held there as release {number} until `mlspec resume {spec.name}` or another spec"


def _wanted(work: Work, observed: Observed, to: int | None) -> Release:
    """Return the release that a person asks for, or the newest good one."""
    target, serves = work.engine.target, stable(observed)
    if serves is None:
        raise StateError(f"{work.name}: nothing serves, so there is nothing to roll back", hint="run `mlspec apply`")
    releases, versions = target.releases(work.name), target.versions(work.name)
    good = good_releases(releases, versions, observed.fact("deployment", "version"), observed.ledger, work.wanted.spec)
    good = tuple(each for each in good if whole(work, known(work, each.version)))
    if to is None:
        if not good:
            raise Refused(
                f"{work.name}: there is no earlier good release to roll back to",
                hint=f"`mlspec history {work.name}` lists all; change the spec and apply, or pause it with reconcile.mode",
            )
        return good[0]
    asked = next((each for each in releases if each.release == to), None)
    if asked is None:
        raise UsageError(f"{work.name} has no release {to}", hint=f"`mlspec history {work.name}` lists them")
    if asked.version not in {each.version for each in good}:
        raise Refused(f"{work.name}: release {to} cannot serve: {_why_not(work, observed, asked)}", hint=_others(good))
    return asked


def _why_not(work: Work, observed: Observed, asked: Release) -> str:
    bad = next((each for each in observed.ledger.quarantined if each.version == asked.version), None)
    if bad:
        return f"{asked.version} is in quarantine since {bad.at}: {bad.reason}"
    if asked.version == observed.fact("deployment", "version"):
        return f"{asked.version} is what serves now"
    if not whole(work, known(work, asked.version)):
        return f"files of {asked.version} are gone"
    return "it was made for forecasts of another shape (series, horizon, quantiles), or after what serves now"


def _others(good: tuple[Release, ...]) -> str:
    return f"good ones: {', '.join(f'{each.release}' for each in good)}" if good else "no earlier release can serve"


def resume(engine: Engine, name: str, by: str, forgive: str | None = None) -> str:
    """Lift a hold, or take a version out of quarantine, and return what was done. Raises Refused where there is neither."""
    with engine.target.lock(name, "resume", engine.clock(), 0.0):
        at, ledger = engine.clock(), engine.target.observe(name).ledger
        said = []
        after = ledger
        if ledger.hold:
            said.append(f"release {ledger.hold.release} is no longer held")
        if ledger.failure:
            said.append("what failed is tried again")
        if forgive:
            if forgive not in ledger.bad:
                bad = ", ".join(sorted(ledger.bad)) or "nothing"
                raise UsageError(f"{name}: {forgive} is not in quarantine", hint=f"in quarantine: {bad}")
            after = replace(after, quarantined=tuple(each for each in ledger.quarantined if each.version != forgive))
            said.append(f"{forgive} may serve again")
        if not said:
            raise Refused(
                f"{name} is neither held nor stalled", hint="reconcile.mode: pause in the spec is lifted there"
            )
        after = replace(after, hold=None, failure=None, rollbacks=())
        told = f"{'; '.join(said)}, by {by}"
        conditions: tuple[Condition, ...] = (healthy(name, after, at),) if ledger.alerts or ledger.hold else ()
        event = Event(name, at, "Normal", "Resumed", told)
        engine.target.settle(Settlement(name, events=(event,), conditions=conditions, ledger=after), at)
        return told


def silence(engine: Engine, name: str, alert: str, span: timedelta, by: str, reason: str) -> str:
    """Mute an alert for a time, and return what was done. One that is muted already is muted anew."""
    with engine.target.lock(name, "silence", engine.clock(), 0.0):
        at, ledger = engine.clock(), engine.target.observe(name).ledger
        until = text(moment(at) + span)
        kept = tuple(each for each in ledger.silences if each.alert != alert)
        after = replace(ledger, silences=(*kept, Silence(alert, until, by, reason, at)))
        told = f"{alert} is silent until {until}, by {by}: {reason}"
        event = Event(name, at, "Normal", "Silenced", told)
        engine.target.settle(Settlement(name, events=(event,), ledger=after), at)
        return told
