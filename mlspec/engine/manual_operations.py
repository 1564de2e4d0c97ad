"""Manual operations on a forecast: roll back, hold, resume, settle notices, silence an alert. The loop respects them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from mlspec.engine import traffic
from mlspec.engine.apply import EFFECTS, perform_effect
from mlspec.engine.context import Engine, Spec
from mlspec.engine.effects import ForecastWork, known_version
from mlspec.engine.part_way import stops_part_way
from mlspec.engine.pass_plan import plan_on_checked_data
from mlspec.engine.rollback_choice import choose_release
from mlspec.engine.under_way import finish_by_waiting, own_work
from mlspec.errors import Refused, UsageError
from mlspec.plan.alert_delivery import mark_discarded
from mlspec.plan.backoff import ended_pass
from mlspec.plan.delivery import discard_notice, resend_notice
from mlspec.plan.health import healthy_condition
from mlspec.plan.manual_hold import find_hold_problem
from mlspec.plan.moments import format_moment, parse_moment
from mlspec.state.ledger import Hold, Silence
from mlspec.state.notice import PendingNotice
from mlspec.state.observed import Settlement
from mlspec.state.record import Condition, Event, Version


def roll_back(
    engine: Engine,
    spec: Spec,
    release_number: int | None,
    by: str,
    reason: str,
    lock_timeout: float = 0.0,
    serves: str = "",
) -> str:
    """Move a forecast to an earlier good release now, hold it there, and return a sentence on what was done.

    The version that served goes into quarantine. Raises UsageError for a release that does not exist, Refused for one that
    cannot serve, or if another version took over meanwhile: since a person saw that `serves` did, where that is given. It waits
    without the lock for a deployment, and then for the forecast.
    """
    rollback = _Rollback(engine, spec, release_number, by, reason, serves)
    hint = "the next pass of the loop makes the forecast by what serves now, and so does `mlspec apply`"
    with stops_part_way(lambda: rollback.hold is not None, done="traffic has moved, and is held", hint=hint):
        return finish_by_waiting(engine, spec.name, rollback.go_on, lock_timeout)


@dataclass
class _Rollback:
    """A rollback by a person, as far as it got: attempts share it, and none repeats what one before it did.

    `serves` is the version that served at the first attempt, and the release is chosen there. `hold` and `sentence` are there once
    traffic has moved: only the forecast is left then.
    """

    engine: Engine
    spec: Spec
    release_number: int | None
    by: str
    reason: str
    serves: str = ""
    hold: Hold | None = None
    sentence: str = ""

    def go_on(self, lock_timeout: float) -> str:
        """Do what is left of it, and return the sentence. Raises WorkUnderWay while it waits for a deployment or a forecast."""
        name, at = self.spec.name, self.engine.clock()
        with self.engine.target.lock_forecast(name, "rollback", at, lock_timeout):
            observed = self.engine.target.observe_forecast(name)
            # On the data that was checked last: data that comes in during a wait would begin the forecast anew.
            desired_forecast = plan_on_checked_data(self.engine, self.spec, observed).desired
            work = ForecastWork(self.engine, desired_forecast, observed)
            with own_work(work):
                hold = self.hold or self._move_traffic(work)
                self._make_forecast(work, hold)
            return f"{self.sentence}; held as release {hold.release} until `mlspec resume {name}` or another spec"

    def _move_traffic(self, work: ForecastWork) -> Hold:
        """Give all traffic to the chosen release, and return its hold."""
        version, at = self._choose_version(work), self.engine.clock()
        hold = Hold(
            traffic.next_release_number(work), version.version, self.by, self.reason, at, work.desired.spec_hash
        )
        sentence = f"{self.serves} was replaced by {version.version} (release {self.release_number}), by {self.by}: {self.reason}"
        ledger = traffic.quarantine_version(
            work.observed.ledger, self.serves, f"rolled back by {self.by}: {self.reason}", at
        )
        traffic.roll_back(work, version, replace(ledger, hold=hold, rollout=None), sentence)
        self.hold, self.sentence = hold, sentence
        return hold

    def _choose_version(self, work: ForecastWork) -> Version:
        """Return the version to go back to: at the first attempt chosen, at a later one confirmed."""
        serves = str(work.observed.find_fact("deployment", "version"))
        if self.serves and serves != self.serves:
            raise Refused(
                f"{work.name}: {serves} took over from {self.serves} meanwhile, so nothing was rolled back",
                hint=f"`mlspec history {work.name}` says why; run the command again to replace {serves}",
            )
        release = choose_release(work, self.release_number)
        self.serves, self.release_number = serves, release.release
        return known_version(work, release.version)

    def _make_forecast(self, work: ForecastWork, hold: Hold) -> None:
        """Make the forecast with what serves now. Once the hold has ended, that is left to who ended it and to the loop."""
        if work.observed.ledger.hold == hold and "data" in work.observed.resources:
            perform_effect(work, "forecast", EFFECTS["forecast"])


def hold_forecast(engine: Engine, spec: Spec, by: str, reason: str, lock_timeout: float = 0.0) -> str:
    """Hold the release that serves until `mlspec resume`, or until the spec changes, and return what was done.

    Raises Refused where there is nothing to hold, or where a hold would not keep what serves.
    """
    name, at = spec.name, engine.clock()
    with engine.target.lock_forecast(name, "hold", at, lock_timeout):
        observed = engine.target.observe_forecast(name)
        if problem := find_hold_problem(observed, spec.forecast, spec.spec_hash):
            raise Refused(f"{name}: {problem.why}", hint=problem.hint)
        work = ForecastWork(engine, plan_on_checked_data(engine, spec, observed).desired, observed)
        traffic.hold_release(work, observed, by=by, reason=reason, ledger=observed.ledger)
        release, version = (observed.find_fact("deployment", fact) for fact in ("release", "version"))
        return f"release {release} ({version}) is held by {by}: {reason}; until `mlspec resume {name}` or another spec"


def resume_forecast(engine: Engine, name: str, by: str, forgive: str | None = None, lock_timeout: float = 0.0) -> str:
    """End a hold, or take a version out of quarantine, and return what was done. Raises Refused if there is neither."""
    with engine.target.lock_forecast(name, "resume", engine.clock(), lock_timeout):
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
            raise Refused(f"{name} is neither held nor stalled", hint=_resume_hint(engine, name))
        after = replace(after, hold=None, failure=None, rollbacks=())
        message = f"{'; '.join(done)}, by {by}"
        conditions: tuple[Condition, ...] = (
            (healthy_condition(name, after, at),) if ledger.alerts or ledger.hold or ended_pass(ledger.failure) else ()
        )
        event = Event(name, at, "Normal", "Resumed", message)
        engine.target.record_settlement(Settlement(name, events=(event,), conditions=conditions, ledger=after), at)
        return message


def _resume_hint(engine: Engine, name: str) -> str:
    if _given_up_notices(engine, name):
        return f"notices were given up: `mlspec resume {name} --notices send` sends them again, `discard` forgets them"
    return "if `reconcile.mode` in the spec is `pause`, change it there"


def settle_notices(
    engine: Engine, name: str, by: str, choice: Literal["send", "discard"], lock_timeout: float = 0.0
) -> str:
    """Let the notices that were given up be sent again, or discard them, and return what was done.

    Nothing else is resumed. Raises Refused if no notice was given up.
    """
    with engine.target.lock_forecast(name, "resume", engine.clock(), lock_timeout):
        at, given_up = engine.clock(), _given_up_notices(engine, name)
        if not given_up:
            raise Refused(
                f"{name}: no notice was given up", hint=f"`mlspec status {name}` lists what is not delivered yet"
            )
        count = f"{len(given_up)} notice{'s' if len(given_up) > 1 else ''}"
        if choice == "send":
            resent = tuple(resend_notice(pending, at) for pending in given_up)
            message = f"{count} will be sent again by the loop, asked by {by}"
            settlement = Settlement(name, resent=resent)
        else:
            discarded = tuple(discard_notice(pending, by) for pending in given_up)
            message = f"{count} discarded, by {by}"
            ledger = engine.target.observe_forecast(name).ledger
            alerts = mark_discarded(ledger.alerts, discarded)
            settlement = Settlement(name, discarded=discarded, ledger=replace(ledger, alerts=alerts))
        event = Event(name, at, "Normal", "NoticesSettled", message)
        engine.target.record_settlement(replace(settlement, events=(event,)), at)
        return message


def _given_up_notices(engine: Engine, name: str) -> tuple[PendingNotice, ...]:
    return tuple(pending for pending in engine.target.load_undelivered_notices(name) if pending.is_given_up)


def record_failed_rollback(engine: Engine, name: str, by: str, problem: str, lock_timeout: float) -> None:
    """Record that a rollback by a person has failed after it was accepted. `by` is who asked for it, and why."""
    with engine.target.lock_forecast(name, "record a failure", engine.clock(), lock_timeout):
        at = engine.clock()
        event = Event(name, at, "Warning", "RollbackFailed", f"the rollback by {by} has failed: {problem}")
        engine.target.record_settlement(Settlement(name, events=(event,)), at)


def silence_alert(
    engine: Engine, name: str, *, alert: str, span: timedelta, by: str, reason: str, lock_timeout: float = 0.0
) -> str:
    """Mute an alert for a time, and return what was done. A new silence replaces an earlier one of the same alert."""
    with engine.target.lock_forecast(name, "silence", engine.clock(), lock_timeout):
        at, ledger = engine.clock(), engine.target.observe_forecast(name).ledger
        until = format_moment(parse_moment(at) + span)
        kept = tuple(mute for mute in ledger.silences if mute.alert != alert)
        after = replace(ledger, silences=(*kept, Silence(alert, until, by, reason, at)))
        message = f"{alert} is silent until {until}, by {by}: {reason}"
        event = Event(name, at, "Normal", "Silenced", message)
        engine.target.record_settlement(Settlement(name, events=(event,), ledger=after), at)
        return message
