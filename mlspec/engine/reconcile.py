"""The loop's pass over one forecast: observe, repair, judge, roll back, train, roll out, forecast. All decisions are in `plan`.

Level-triggered: a pass depends on the observed state and the ledger, never on what started it. So it may run late, twice or
after a crash, and a pass without news writes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from mlspec.engine.apply import EFFECTS, perform_effect
from mlspec.engine.context import Engine, Spec
from mlspec.engine.defects import as_error
from mlspec.engine.effects import ForecastWork
from mlspec.engine.pass_end import changed_conditions, end_pass, waiting_reasons
from mlspec.engine.pass_plan import PassPlan, plan_pass, resource_mode
from mlspec.engine.pass_result import PassOutlook, PassResult
from mlspec.engine.rollback import (
    TrafficMove,
    evaluate_if_new,
    has_news,
    judge_serving_version,
    move_due,
    rollback_decision,
)
from mlspec.errors import DataError, Defect, GateClosed, MissingExtra, MlspecError, ModelError, Refused, SpecError
from mlspec.log_context import forecast_scope
from mlspec.plan import rollback
from mlspec.plan.backoff import next_failure
from mlspec.plan.diff import plan_changes
from mlspec.plan.notices import pending_notices, stalled_notice
from mlspec.plan.rollout import Abort, Shift
from mlspec.plan.training import alerts_asking_training, recent_trainings, trained_note
from mlspec.state.ledger import Failure
from mlspec.state.notice import PendingNotice
from mlspec.state.observed import Settlement
from mlspec.state.record import Condition, Event
from mlspec.state.resource import Kind

logger = logging.getLogger(__name__)
_MOVES: dict[type[TrafficMove], str] = {
    Shift: "a rollout would continue", Abort: "a rollout would be aborted",
    rollback.RollBack: "the version that serves would be rolled back", rollback.GiveUp: "the release would be held",
}  # fmt: skip
# A retry does not help against these: an input has to change first.
_PERMANENT = (DataError, ModelError, SpecError, MissingExtra, Refused)
_LOOK = "look"  # the key of a failure that a defect caused while observing, before any work


def reconcile_one(engine: Engine, spec: Spec, lock_timeout: float = 0.0) -> PassResult:
    """Make one pass over one forecast, and return the result. Errors are in the result, and not raised."""
    with engine.target.hash_files_once():
        outlook = look_for_work(engine, spec)
        return run_pass(engine, spec, outlook.result, lock_timeout) if outlook.has_work else outlook.result


def look_for_work(engine: Engine, spec: Spec) -> PassOutlook:
    """Return whether there is work on a forecast, and what waits. Takes no lock, except to record once that it is paused."""
    with forecast_scope(spec.name):
        try:
            if spec.forecast.reconcile.mode == "pause":
                _record_pause(engine, spec)
                return PassOutlook(PassResult(spec.name, paused=True), has_work=False)
            return _look_at_forecast(engine, spec)
        except Exception as error:  # a defect in one forecast's look does not stop the others
            failure = as_error(error)
            logger.debug("looking failed", exc_info=error)
            if isinstance(failure, Defect):
                _keep_defect(engine, spec, failure)
            return PassOutlook(PassResult(spec.name, error=failure), has_work=False)


def run_pass(engine: Engine, spec: Spec, result: PassResult, lock_timeout: float) -> PassResult:
    """Do the work on a forecast, under its lock, and return the result.

    `result` is what was observed without the lock. It is returned with the error if the lock is held by another run.
    """
    with forecast_scope(spec.name):
        try:
            with engine.target.lock_forecast(spec.name, "reconcile", engine.clock(), lock_timeout):
                result = PassResult(spec.name, reported=result.reported)
                _run_under_lock(engine, spec, result)
        except Exception as error:  # a defect in one forecast's work does not stop the others
            logger.debug("the pass failed", exc_info=error)
            return replace(result, error=as_error(error))
        return result


def _look_at_forecast(engine: Engine, spec: Spec) -> PassOutlook:
    """Return whether there is work, which needs the lock, and what waits."""
    pass_plan = plan_pass(engine, spec, engine.target.observe_forecast(spec.name))
    work = ForecastWork(engine, pass_plan.desired, pass_plan.observed)
    result = PassResult(
        spec.name,
        waits=_waiting_reasons(work, pass_plan),
        reported=_reported_lines(work, pass_plan),
        error=pass_plan.missing,
    )
    seen = (
        pass_plan.pending_changes
        or pass_plan.handled_schedules
        or changed_conditions(pass_plan, pass_plan.observed.conditions, result.reported, "")
    )
    moves_on = resource_mode(spec.forecast, "deployment") == "enforce" and move_due(work, pass_plan.observed)
    # The alert handler uses the newest release's spec, and has to know if the spec has changed since.
    another = pass_plan.observed.ledger.spec not in ("", spec.spec_hash)
    mended = pass_plan.observed.ledger.failure is not None and pass_plan.observed.ledger.failure.key == _LOOK
    is_due = seen or another or mended or has_news(work, pass_plan.observed) or moves_on
    return PassOutlook(result, has_work=bool(is_due))


def _waiting_reasons(work: ForecastWork, pass_plan: PassPlan) -> list[str]:
    """Return why desired work is not done, and why the version that serves stays although an alert fires."""
    decision = rollback_decision(work, pass_plan.observed)
    stays = [decision.why] if isinstance(decision, rollback.Stay) and decision.why else []
    return [*waiting_reasons(pass_plan), *stays]


def _reported_lines(work: ForecastWork, pass_plan: PassPlan) -> list[str]:
    """Return what is only reported: changes, and a move of traffic."""
    lines = [f"{change.resource}: {change.reason}" for change in pass_plan.reported_changes]
    if resource_mode(work.desired.spec, "deployment") != "observe":
        return lines
    move = move_due(work, pass_plan.observed)
    return [*lines, f"deployment.{work.name}: {_MOVES[type(move)]}: {move.why}"] if move else lines


def _run_under_lock(engine: Engine, spec: Spec, result: PassResult) -> None:
    """Make the pass, and note each action in `result` at once, so that actions before an error are in it."""
    pass_plan = plan_pass(engine, spec, engine.target.observe_forecast(spec.name))
    work = ForecastWork(engine, pass_plan.desired, pass_plan.observed)
    try:
        result.actions += _apply_kind(work, pass_plan, "data")
        judge_serving_version(work, result)
        pass_plan = plan_pass(engine, spec, work.observed)  # what was learnt may ask for a training
        work.desired = pass_plan.desired
        _apply_due_changes(work, pass_plan, result)
    except Exception as error:
        failure = as_error(error)
        _record_backoff(work, pass_plan.key, failure)
        if failure is error:
            raise
        raise failure from error
    result.alert_changes += evaluate_if_new(work)
    pass_plan = _after_effects(work, pass_plan)
    result.waits += [reason for reason in _waiting_reasons(work, pass_plan) if reason not in result.waits]
    result.reported, result.error = _reported_lines(work, pass_plan), pass_plan.missing
    end_pass(work, pass_plan, result.reported)


def _apply_kind(work: ForecastWork, pass_plan: PassPlan, kind: Kind) -> list[str]:
    """Carry out one resource's change, if the loop may carry it out, and return what was done."""
    if not any(planned_change.resource.startswith(f"{kind}.") for planned_change in pass_plan.pending_changes):
        return []
    change = pass_plan.change_of(kind)
    perform_effect(work, kind, EFFECTS[kind])
    return [f"{change.resource}: {change.reason}"]


def _apply_due_changes(work: ForecastWork, pass_plan: PassPlan, result: PassResult) -> None:
    """Train if a training is due, roll the version out, and make the forecast."""
    try:
        if (
            pass_plan.training
            and pass_plan.training.by_itself
            and any(change.resource.startswith("model.") for change in pass_plan.pending_changes)
        ):
            _count_training(work)
        result.actions += _apply_kind(work, pass_plan, "model")
    except GateClosed as closed:
        result.kept_out = True
        result.actions.append(closed.message)
    kinds: tuple[Kind, ...] = ("deployment", "forecast")
    for kind in kinds:
        result.actions += _apply_kind(work, _after_effects(work, pass_plan), kind)


def _after_effects(work: ForecastWork, pass_plan: PassPlan) -> PassPlan:
    """Return the pass's plan after an effect: the same desired state, compared with the present observed state."""
    return replace(pass_plan, observed=work.observed, changes=plan_changes(work.desired, work.observed))


def _count_training(work: ForecastWork) -> None:
    """Record that the loop starts a training, before it starts: a killed run counts against the budget too."""
    observed, at = work.observed, work.engine.clock()
    ledger = observed.ledger
    started = (*recent_trainings(ledger.trainings, at), at)
    asked = tuple(trained_note(alert.incident) for alert in alerts_asking_training(work.desired.spec, observed))
    work.record_settlement(
        Settlement(work.name, ledger=replace(ledger, trainings=started, acted=(*ledger.acted, *asked)))
    )


def _record_pause(engine: Engine, spec: Spec) -> None:
    """Record once that the forecast is paused."""
    observed = engine.target.observe_forecast(spec.name)
    already_recorded = any(
        condition.type == "Paused" and condition.reason == "PausedBySpec" for condition in observed.conditions
    )
    if observed.resources and not already_recorded:
        at = engine.clock()
        new_condition = Condition(
            spec.name, "Paused", "True", "PausedBySpec", "reconcile.mode is pause: nothing is done", at
        )
        with engine.target.lock_forecast(spec.name, "reconcile", at, 0.0):
            engine.target.record_settlement(Settlement(spec.name, conditions=(new_condition,)), at)


def _keep_defect(engine: Engine, spec: Spec, defect: Defect) -> None:
    """Record once that a forecast cannot be observed, so that `status` shows it. The next pass that succeeds removes it."""
    try:
        ledger, at = engine.target.observe_forecast(spec.name).ledger, engine.clock()
        if ledger.failure and (ledger.failure.key, ledger.failure.reason) == (_LOOK, defect.message):
            return
        event = Event(spec.name, at, "Warning", "Defect", defect.message)
        after = replace(ledger, failure=Failure(_LOOK, 1, at, None, defect.message))
        with engine.target.lock_forecast(spec.name, "reconcile", at, 0.0):
            engine.target.record_settlement(Settlement(spec.name, events=(event,), ledger=after), at)
    except Exception as error:  # the record itself may be broken: the pass reports that
        logger.debug("the defect could not be recorded", exc_info=error)


def _record_backoff(work: ForecastWork, work_key: str, error: MlspecError) -> None:
    """Record that this work failed, and when it is retried; notify people once it is not retried any more."""
    at, ledger = work.engine.clock(), work.observed.ledger
    failure = next_failure(ledger.failure, work_key, error.message, at, permanent=isinstance(error, _PERMANENT))
    events: tuple[Event, ...] = ()
    notices: tuple[PendingNotice, ...] = ()
    if failure.next_at is None:
        sentence = f"stalled until spec, data or code change: {error.message}"
        events = (Event(work.name, at, "Warning", "Stalled", sentence),)
        notices = pending_notices(work.desired.spec, (stalled_notice(work.desired.spec, sentence, at),), at)
    work.record_settlement(
        Settlement(
            work.name,
            events=events,
            ledger=replace(ledger, failure=failure, spec=work.desired.spec_hash),
            notices=notices,
        )
    )
