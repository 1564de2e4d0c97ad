"""Applies specs: brings each forecast, under its lock, from the observed to the desired state.

Level-triggered: the changes follow from the state observed under the lock, not from the plan that was shown. Effects run one
after the other: the journal records `started`, steps run and are stored, and the effect is recorded with its consequences in
one transaction. If a run is killed, the next run finishes its work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from mlspec.engine.clock import record_clock_correction
from mlspec.engine.context import Engine, Spec
from mlspec.engine.defects import as_error, forget_defect, record_defect
from mlspec.engine.effects import ForecastWork, checked_fates, judge_model, make_forecast, read_data
from mlspec.engine.outcome import ForecastOutcome, OutcomeStatus
from mlspec.engine.part_way import RECORDED, stops_part_way
from mlspec.engine.traffic import deploy_forecast_data, deploy_version
from mlspec.engine.under_way import PATIENCE, recorded_start
from mlspec.errors import DataError, GateClosed, MlspecError, Terminated, WorkUnderWay
from mlspec.log_context import forecast_scope
from mlspec.plan.backoff import ended_pass
from mlspec.plan.diff import is_only_outdated, plan_changes
from mlspec.plan.serving import stable_version
from mlspec.plan.started_work import waiting_sentence, without_steps
from mlspec.state.ledger import StartedWork
from mlspec.state.observed import Observed, Settlement
from mlspec.state.pass_steps import steps_of
from mlspec.state.plan import Change
from mlspec.state.record import CONDITION_OF, Condition, Event
from mlspec.state.resource import Kind
from mlspec.stop_signals import stop_signal_name

logger = logging.getLogger(__name__)
Outcome = TypeVar("Outcome")
_LONGEST_WAIT = 3600.0  # seconds until everything that is waited for is looked at by an attempt: it may be overdue
EFFECTS: dict[Kind, Callable[[ForecastWork], None]] = {
    "data": read_data,
    "model": judge_model,
    "deployment": deploy_version,
    "forecast": make_forecast,
}


@dataclass
class _Application:
    """The application of one spec: the work, which attempts share, what it waits for, and its outcome once it is over."""

    spec: Spec
    work: ForecastWork | None = None
    waits: tuple[StartedWork, ...] = ()
    outcome: ForecastOutcome | None = None


def apply_specs(engine: Engine, specs: Sequence[Spec], lock_timeout: float = 0.0) -> tuple[ForecastOutcome, ...]:
    """Apply each spec and return the outcomes, in order. A spec that fails does not stop the others.

    Long work of all specs runs at the same time: it is started for each of them, and waited for without a lock. A signal ends the
    run: with StoppedPartWay if anything was written before, else with the signal's own exception.
    """
    applications = [_Application(spec) for spec in specs]
    with (
        stops_part_way(
            lambda: any(application.work and application.work.written for application in applications),
            done=RECORDED, hint="run the same command again to continue",
        ),
        engine.target.hash_files_once(),
    ):  # fmt: skip
        for application in applications:
            _attempt(engine, application, lock_timeout)
        while waiting := [application for application in applications if application.outcome is None]:
            for application in _wait_for_any(engine, waiting):
                _attempt(engine, application, max(lock_timeout, PATIENCE))
    return tuple(application.outcome for application in applications if application.outcome)


def _wait_for_any(engine: Engine, waiting: Sequence[_Application]) -> list[_Application]:
    """Wait until some of the long work is over, and return the applications that can go on."""
    works = tuple(started for application in waiting for started in application.waits)
    over = set(engine.target.wait_for_work(works, _LONGEST_WAIT)) or set(works)
    return [application for application in waiting if over.intersection(application.waits)]


def _attempt(engine: Engine, application: _Application, lock_timeout: float) -> None:
    """Apply a spec as far as it goes now, and note its outcome, or what it waits for."""
    name = application.spec.name
    with forecast_scope(name):
        try:
            application.outcome = _apply_one(engine, application, lock_timeout)
        except WorkUnderWay as under_way:
            known = application.work.observed.ledger.under_way if application.work else ()
            application.waits = tuple(started for started in known if started.name == under_way.name)
            said = "; ".join(map(waiting_sentence, application.waits)) or under_way.message
            engine.tell(name, under_way.what, 0, 0, said)


def _apply_one(engine: Engine, application: _Application, lock_timeout: float) -> ForecastOutcome:
    spec = application.spec
    try:
        observed = engine.target.observe_forecast(spec.name)
        if all(change.action == "none" for change in plan_changes(engine.desired_forecast(spec), observed)):
            outcome = _unchanged_outcome(engine, observed)
            _forget_defect_unlocked(engine, observed, lock_timeout)
            return outcome
        with engine.target.lock_forecast(spec.name, "apply", engine.clock(), lock_timeout):
            observed = record_clock_correction(engine.target, engine.target.observe_forecast(spec.name), engine.clock())
            work = application.work or ForecastWork(engine, engine.desired_forecast(spec), observed)
            work.observed, application.work = observed, work
            outcome = _apply_under_lock(work)
            _forget_started(work)
            forget_defect(engine, work.observed)
            return outcome
    except WorkUnderWay:
        raise
    except Exception as error:  # a defect in one forecast's work does not stop the others
        failure = as_error(error)
        logger.debug("apply failed", exc_info=error)
        if failure is not error:  # an effect has recorded its own defect
            record_defect(engine, spec, failure)
        recorded = bool(application.work and application.work.effect_count)
        return ForecastOutcome(spec.name, "failed", error=failure, recorded=recorded)


def _forget_started(work: ForecastWork) -> None:
    """Record that nothing runs any more for this forecast: every effect is there."""
    if work.observed.ledger.under_way:
        work.record_settlement(Settlement(work.name, ledger=replace(work.observed.ledger, under_way=(), training="")))


def _forget_defect_unlocked(engine: Engine, observed: Observed, lock_timeout: float) -> None:
    """Take the lock to record that a defect is over; without one, which is the rule, nothing is locked or written."""
    if ended_pass(observed.ledger.failure):
        with engine.target.lock_forecast(observed.forecast, "apply", engine.clock(), lock_timeout):
            forget_defect(engine, engine.target.observe_forecast(observed.forecast))


def _unchanged_outcome(engine: Engine, observed: Observed) -> ForecastOutcome:
    """Return the outcome of a run that had nothing to do: all is up to date, or the gate's rejection still holds."""
    status: OutcomeStatus = "kept-out" if observed.find_fact("model", "state") == "rejected" else "nothing"
    judged = observed.find_fact("model", "version")
    version = next(
        (
            past_version
            for past_version in engine.target.load_versions(observed.forecast)
            if past_version.version == judged
        ),
        None,
    )
    return ForecastOutcome(observed.forecast, status, version=version, serving=stable_version(observed))


def _apply_under_lock(work: ForecastWork) -> ForecastOutcome:
    try:
        for kind, effect in EFFECTS.items():
            perform_effect(work, kind, effect)
    except GateClosed:
        # What serves goes on, under the present alerts and receivers: a rejected version stops neither these nor the forecast.
        perform_effect(work, "deployment", deploy_version)
        perform_effect(work, "forecast", make_forecast)
        _bring_forecast_data(work)
        series = checked_fates(work.observed)
        return ForecastOutcome(
            work.name,
            "kept-out",
            work.version,
            work.release,
            work.run,
            recorded=True,
            serving=stable_version(work.observed),
            series=series,
        )
    _bring_forecast_data(work)
    outcome = _unchanged_outcome(work.engine, work.observed)
    if not work.written or outcome.status == "kept-out":
        # Another run did it while this one waited; or a lost file was restored, and the gate's rejection holds; or the forecast was
        # made before a wait.
        return replace(outcome, release=work.release, run=work.run, recorded=work.run is not None)
    series = checked_fates(work.observed)
    return ForecastOutcome(work.name, "applied", outcome.version, work.release, work.run, recorded=True, series=series)


def _bring_forecast_data(work: ForecastWork) -> None:
    """Deploy what serves with the data of the newest forecast, where its containers bring along other data."""
    change = _next_change(work, "deployment")
    if is_only_outdated(change, work.observed):
        carry_out(work, "deployment", change.reason, deploy_forecast_data)


def perform_effect(work: ForecastWork, kind: Kind, effect: Callable[[ForecastWork], None]) -> None:
    """Carry out one effect if its resource is not up to date, and write the journal before and after."""
    change = _next_change(work, kind)
    if change.action != "none" and not is_only_outdated(change, work.observed):
        carry_out(work, kind, change.reason, effect)


def carry_out(work: ForecastWork, kind: Kind, reason: str, effect: Callable[[ForecastWork], Outcome]) -> Outcome:
    """Carry out one effect, or a part of it, on a kind of resource. Its failure is recorded, and raised as an MlspecError."""
    work.written = True
    work.engine.target.write_journal(
        work.name, resource=f"{kind}.{work.name}", phase="started", detail=reason, at=work.engine.clock()
    )
    try:
        with recorded_start(work):
            return effect(work)
    except (GateClosed, WorkUnderWay):
        raise
    except Exception as error:
        failure = as_error(error)
        record_failure(work, kind, failure)
        if failure is error:
            raise
        raise failure from error
    except BaseException as error:
        record_failure(work, kind, error)
        raise


def _next_change(work: ForecastWork, kind: Kind) -> Change:
    planned_changes = plan_changes(work.desired, work.observed)
    return next(change for change in planned_changes if change.resource == f"{kind}.{work.name}")


def _stopper(error: BaseException) -> str:
    """Return the signal's name, as an operator knows it, or the name of any other exception that stops a run."""
    is_signal = isinstance(error, KeyboardInterrupt | Terminated)
    return stop_signal_name(error) if is_signal else type(error).__name__


def record_failure(work: ForecastWork, kind: Kind, error: BaseException) -> None:
    """Record that an effect failed, and why. Effects recorded before it stay, and the version that served keeps serving."""
    target, at = work.engine.target, work.engine.clock()
    message = error.message if isinstance(error, MlspecError) else f"stopped by {_stopper(error)}"
    target.write_journal(work.name, resource=f"{kind}.{work.name}", phase="failed", detail=message, at=at)
    if not isinstance(error, MlspecError):
        return
    ledger = without_steps(work.observed.ledger, (work.step, *steps_of(kind)))  # other work goes on
    forgotten = ledger if ledger != work.observed.ledger else None
    reason = "DataRefused" if isinstance(error, DataError) else "StepFailed"
    event = Event(work.name, at, "Warning", reason, message)
    condition = Condition(work.name, CONDITION_OF[kind], "False", reason, message, at)
    settlement = Settlement(work.name, events=(event,), conditions=(condition,), ledger=forgotten)
    work.observed = target.record_settlement(settlement, at)
