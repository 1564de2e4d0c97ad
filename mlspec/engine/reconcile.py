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
from mlspec.engine.pass_result import PassResult
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


def reconcile_one(engine: Engine, spec: Spec, result: PassResult, lock_timeout: float = 0.0) -> None:
    """Make one pass over one forecast, and note the outcome in `result`. Errors are noted too, and not raised."""
    if has_work(engine, spec, result):
        run_pass(engine, spec, result, lock_timeout)


def has_work(engine: Engine, spec: Spec, result: PassResult) -> bool:
    """Return whether there is work on a forecast. Takes no lock, except to record once that it is paused."""
    with forecast_scope(spec.name):
        try:
            if spec.json["reconcile"]["mode"] == "pause":
                _note_pause(engine, spec, result)
                return False
            return not _is_idle(engine, spec, result)
        except Exception as error:  # a defect in observing one forecast does not stop the others
            result.error = as_error(error)
            logger.debug("observing failed", exc_info=error)
            if isinstance(result.error, Defect):
                _keep_defect(engine, spec, result.error)
            return False


def run_pass(engine: Engine, spec: Spec, result: PassResult, lock_timeout: float) -> None:
    """Do the work on a forecast, under its lock, and note the outcome in `result`."""
    with forecast_scope(spec.name):
        try:
            with engine.target.lock_forecast(spec.name, "reconcile", engine.clock(), lock_timeout):
                _run_under_lock(engine, spec, result)
        except Exception as error:  # a defect in one forecast's work does not stop the others
            result.error = as_error(error)
            logger.debug("the pass failed", exc_info=error)


def _is_idle(engine: Engine, spec: Spec, result: PassResult) -> bool:
    """Return whether there is nothing to do, so that no lock is needed; note what waits."""
    pass_plan = plan_pass(engine, spec)
    work = ForecastWork(engine, pass_plan.desired)
    _note_unfinished(work, pass_plan, result)
    result.error = pass_plan.missing
    seen = (
        pass_plan.pending_changes
        or pass_plan.handled_schedules
        or changed_conditions(pass_plan, pass_plan.observed.conditions, result.reported, "")
    )
    moves_on = resource_mode(spec.json, "deployment") == "enforce" and move_due(work, pass_plan.observed)
    # The alert handler uses the newest release's spec, and has to know if the spec has changed since.
    another = pass_plan.observed.ledger.spec not in ("", spec.spec_hash)
    mended = pass_plan.observed.ledger.failure is not None and pass_plan.observed.ledger.failure.key == _LOOK
    return not (seen or another or mended or has_news(work, pass_plan.observed) or moves_on)


def _note_unfinished(work: ForecastWork, pass_plan: PassPlan, result: PassResult) -> None:
    """Note what waits and why, and what is only reported: changes, and a move of traffic."""
    result.waits += waiting_reasons(pass_plan)
    result.reported = [f"{change.resource}: {change.reason}" for change in pass_plan.reported_changes]
    decision = rollback_decision(work, pass_plan.observed)
    if isinstance(decision, rollback.Stay) and decision.why and decision.why not in result.waits:
        result.waits.append(decision.why)
    if resource_mode(work.desired.spec, "deployment") == "observe":
        move = move_due(work, pass_plan.observed)
        result.reported += [f"deployment.{work.name}: {_MOVES[type(move)]}: {move.why}"] if move else []


def _run_under_lock(engine: Engine, spec: Spec, result: PassResult) -> None:
    pass_plan = plan_pass(engine, spec)
    result.waits.clear()
    work = ForecastWork(engine, pass_plan.desired)
    try:
        _apply_kind(work, pass_plan, "data", result)
        judge_serving_version(work, result)
        pass_plan = plan_pass(engine, spec)  # the evaluation may ask for a training, or have moved traffic
        work.desired = pass_plan.desired
        _apply_due_changes(work, pass_plan, result)
    except Exception as error:
        failure = as_error(error)
        _record_backoff(work, pass_plan.key, failure)
        if failure is error:
            raise
        raise failure from error
    evaluate_if_new(work, result)
    pass_plan = _observe_again(work, pass_plan)
    _note_unfinished(work, pass_plan, result)
    end_pass(work, pass_plan, result.reported)


def _apply_kind(work: ForecastWork, pass_plan: PassPlan, kind: Kind, result: PassResult) -> None:
    """Carry out one resource's change, if the loop may carry it out."""
    if any(planned_change.resource.startswith(f"{kind}.") for planned_change in pass_plan.pending_changes):
        change = pass_plan.change_of(kind)
        perform_effect(work, kind, EFFECTS[kind])
        result.actions.append(f"{change.resource}: {change.reason}")


def _apply_due_changes(work: ForecastWork, pass_plan: PassPlan, result: PassResult) -> None:
    """Train if a training is due, roll the version out, and make the forecast."""
    try:
        if (
            pass_plan.training
            and pass_plan.training.by_itself
            and any(change.resource.startswith("model.") for change in pass_plan.pending_changes)
        ):
            _count_training(work)
        _apply_kind(work, pass_plan, "model", result)
    except GateClosed as closed:
        result.kept_out = True
        result.actions.append(closed.message)
    kinds: tuple[Kind, ...] = ("deployment", "forecast")
    for kind in kinds:
        _apply_kind(work, _observe_again(work, pass_plan), kind, result)


def _observe_again(work: ForecastWork, pass_plan: PassPlan) -> PassPlan:
    """Return the pass's plan after an effect: the same desired state, compared with the present observed state."""
    observed = work.engine.target.observe_forecast(work.name)
    return replace(pass_plan, observed=observed, changes=plan_changes(work.desired, observed))


def _count_training(work: ForecastWork) -> None:
    """Record that the loop starts a training, before it starts: a killed run counts against the budget too."""
    observed, at = work.engine.target.observe_forecast(work.name), work.engine.clock()
    ledger = observed.ledger
    started = (*recent_trainings(ledger.trainings, at), at)
    asked = tuple(trained_note(alert.incident) for alert in alerts_asking_training(work.desired.spec, observed))
    work.record_settlement(
        Settlement(work.name, ledger=replace(ledger, trainings=started, acted=(*ledger.acted, *asked)))
    )


def _note_pause(engine: Engine, spec: Spec, result: PassResult) -> None:
    """Record once that the forecast is paused."""
    result.paused = True
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
    at, ledger = work.engine.clock(), work.engine.target.observe_forecast(work.name).ledger
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
