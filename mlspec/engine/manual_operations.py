"""Manual operations on a forecast: roll back, resume, silence an alert. The loop respects all three."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mlspec.engine import traffic
from mlspec.engine.apply import EFFECTS, perform_effect
from mlspec.engine.context import Engine, Spec
from mlspec.engine.effects import ForecastWork, is_intact, known_version
from mlspec.errors import Refused, StateError, UsageError
from mlspec.plan.health import healthy_condition
from mlspec.plan.moments import format_moment, parse_moment
from mlspec.plan.serving import good_releases, stable_version
from mlspec.state.ledger import Hold, Silence
from mlspec.state.observed import Observed, Settlement
from mlspec.state.record import Condition, Event, Release


def roll_back(
    engine: Engine, spec: Spec, release_number: int | None, by: str, reason: str, lock_timeout: float = 0.0
) -> str:
    """Move a forecast to an earlier good release now, hold it there, and return a sentence on what was done.

    The version that served goes into quarantine. Raises UsageError for a release that does not exist, Refused for one that
    cannot serve.
    """
    with engine.target.lock_forecast(spec.name, "rollback", engine.clock(), lock_timeout):
        desired_forecast, observed = engine.desired_forecast(spec), engine.target.observe_forecast(spec.name)
        work = ForecastWork(engine, desired_forecast, observed)
        serves = str(observed.find_fact("deployment", "version"))
        release = _choose_release(work, observed, release_number)
        at = engine.clock()
        number = traffic.next_release_number(work)
        ledger = traffic.quarantine_version(observed.ledger, serves, f"rolled back by {by}: {reason}", at)
        hold = Hold(number, release.version, by, reason, at, work.desired.spec_hash)
        sentence = f"{serves} was replaced by {release.version} (release {release.release}), by {by}: {reason}"
        traffic.roll_back(
            work, known_version(work, release.version), replace(ledger, hold=hold, rollout=None), sentence
        )
        if "data" in observed.resources:
            perform_effect(work, "forecast", EFFECTS["forecast"])
        return f"{sentence}; held as release {number} until `mlspec resume {spec.name}` or another spec"


def _choose_release(work: ForecastWork, observed: Observed, release_number: int | None) -> Release:
    """Return the requested release, or the newest good one."""
    target, serves = work.engine.target, stable_version(observed)
    if serves is None:
        raise StateError(f"{work.name}: nothing serves, so there is nothing to roll back", hint="run `mlspec apply`")
    releases, versions = target.load_releases(work.name), target.load_versions(work.name)
    good = good_releases(
        releases, versions, observed.find_fact("deployment", "version"), observed.ledger, work.desired.spec
    )
    good = tuple(release for release in good if is_intact(work, known_version(work, release.version)))
    if release_number is None:
        if not good:
            raise Refused(
                f"{work.name}: there is no earlier good release to roll back to",
                hint=f"`mlspec history {work.name}` lists all; change the spec and apply, or pause it with reconcile.mode",
            )
        return good[0]
    asked_release = next((release for release in releases if release.release == release_number), None)
    if asked_release is None:
        raise UsageError(
            f"{work.name} has no release {release_number}", hint=f"`mlspec history {work.name}` lists them"
        )
    if asked_release.version not in {release.version for release in good}:
        raise Refused(
            f"{work.name}: release {release_number} cannot serve: {_why_not(work, observed, asked_release)}",
            hint=_release_hint(good),
        )
    return asked_release


def _why_not(work: ForecastWork, observed: Observed, asked_release: Release) -> str:
    bad = next(
        (quarantine for quarantine in observed.ledger.quarantined if quarantine.version == asked_release.version), None
    )
    if bad:
        return f"{asked_release.version} is in quarantine since {bad.at}: {bad.reason}"
    if asked_release.version == observed.find_fact("deployment", "version"):
        return f"{asked_release.version} is what serves now"
    if not is_intact(work, known_version(work, asked_release.version)):
        return f"files of {asked_release.version} are missing"
    return "it was made for forecasts of another shape (series, horizon, quantiles), or after what serves now"


def _release_hint(good: tuple[Release, ...]) -> str:
    return (
        f"good ones: {', '.join(f'{release.release}' for release in good)}" if good else "no earlier release can serve"
    )


def resume_forecast(engine: Engine, name: str, by: str, forgive: str | None = None) -> str:
    """End a hold, or take a version out of quarantine, and return what was done. Raises Refused if there is neither."""
    with engine.target.lock_forecast(name, "resume", engine.clock(), 0.0):
        at, ledger = engine.clock(), engine.target.observe_forecast(name).ledger
        done = []
        after = ledger
        if ledger.hold:
            done.append(f"release {ledger.hold.release} is no longer held")
        if ledger.failure:
            done.append("the failed work is tried again")
        if forgive:
            if forgive not in ledger.quarantined_versions:
                bad = ", ".join(sorted(ledger.quarantined_versions)) or "nothing"
                raise UsageError(f"{name}: {forgive} is not in quarantine", hint=f"in quarantine: {bad}")
            after = replace(
                after,
                quarantined=tuple(quarantine for quarantine in ledger.quarantined if quarantine.version != forgive),
            )
            done.append(f"{forgive} may serve again")
        if not done:
            raise Refused(
                f"{name} is neither held nor stalled",
                hint="if `reconcile.mode` in the spec is `pause`, change it there",
            )
        after = replace(after, hold=None, failure=None, rollbacks=())
        message = f"{'; '.join(done)}, by {by}"
        conditions: tuple[Condition, ...] = (
            (healthy_condition(name, after, at),) if ledger.alerts or ledger.hold else ()
        )
        event = Event(name, at, "Normal", "Resumed", message)
        engine.target.record_settlement(Settlement(name, events=(event,), conditions=conditions, ledger=after), at)
        return message


def silence_alert(engine: Engine, name: str, *, alert: str, span: timedelta, by: str, reason: str) -> str:
    """Mute an alert for a time, and return what was done. A new silence replaces an earlier one of the same alert."""
    with engine.target.lock_forecast(name, "silence", engine.clock(), 0.0):
        at, ledger = engine.clock(), engine.target.observe_forecast(name).ledger
        until = format_moment(parse_moment(at) + span)
        kept = tuple(mute for mute in ledger.silences if mute.alert != alert)
        after = replace(ledger, silences=(*kept, Silence(alert, until, by, reason, at)))
        message = f"{alert} is silent until {until}, by {by}: {reason}"
        event = Event(name, at, "Normal", "Silenced", message)
        engine.target.record_settlement(Settlement(name, events=(event,), ledger=after), at)
        return message
