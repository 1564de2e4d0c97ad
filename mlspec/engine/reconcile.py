"""The loop's pass over one forecast: observe, repair, judge, roll back, train, roll out, forecast. All decisions are in `plan`.

Level-triggered: a pass depends on the observed state and the ledger, never on what started it. So it may run late, twice or
after a crash, and a pass without news writes nothing. A DAG makes the same steps as tasks (`engine.steps`).
"""

from __future__ import annotations

import logging
from dataclasses import replace

from mlspec.engine.clock import observe_corrected, record_clock_correction
from mlspec.engine.context import Engine, Spec
from mlspec.engine.defects import as_error, record_defect, record_defect_under_lock, waiting_defect
from mlspec.engine.effects import ForecastWork
from mlspec.engine.pass_end import changed_conditions, data_presence
from mlspec.engine.pass_phases import PHASES, PassWork, apply_missing_before, is_age_due, pass_waits, reported_lines
from mlspec.engine.pass_plan import PassPlan, plan_on_checked_data, plan_pass, resource_mode
from mlspec.engine.pass_result import PassOutlook, PassResult
from mlspec.engine.rollback import has_news, move_due
from mlspec.engine.under_way import recorded_start
from mlspec.errors import MlspecError, StateUnreachable, WorkUnderWay, may_pass
from mlspec.log_context import forecast_scope
from mlspec.plan.backoff import ended_pass, next_failure
from mlspec.plan.health import healthy_condition
from mlspec.plan.notices import pending_notices, stalled_notice
from mlspec.plan.ready import why_not_ready
from mlspec.plan.started_work import after_failed_step, blocks_changes, is_overdue, waiting_sentence
from mlspec.state.ledger import StartedWork
from mlspec.state.notice import PendingNotice
from mlspec.state.observed import Observed, Settlement
from mlspec.state.pass_steps import PASS_STEPS, PassStep, changes_resource, whole_steps_before
from mlspec.state.record import Condition, Event
from mlspec.state.resource import Kind

logger = logging.getLogger(__name__)


def reconcile_one(engine: Engine, spec: Spec, lock_timeout: float = 0.0) -> PassResult:
    """Make one pass over one forecast, and return the result. Errors are in the result, and not raised."""
    with engine.target.hash_files_once():
        outlook = look_for_work(engine, spec)
        return run_pass(engine, spec, outlook.result, lock_timeout) if outlook.has_work else outlook.result


def look_for_work(engine: Engine, spec: Spec) -> PassOutlook:
    """Return whether there is work on a forecast, and what waits. Takes no lock, except to record once that it is paused.

    Raises StateUnreachable: then no forecast can be observed.
    """
    with forecast_scope(spec.name):
        try:
            if spec.forecast.reconcile.mode == "pause":
                record_pause(engine, spec)
                return PassOutlook(PassResult(spec.name, paused=True), has_work=False)
            return _look_at_forecast(engine, spec)
        except StateUnreachable:
            raise
        except Exception as error:  # a defect in one forecast's look does not stop the others
            failure = as_error(error)
            logger.debug("looking failed", exc_info=error)
            record_defect(engine, spec, failure)
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
            failure = as_error(error)
            if failure is not error:  # what an effect or another error of mlspec left is recorded already
                record_defect(engine, spec, failure)
            return replace(result, error=failure)
        return result


def _look_at_forecast(engine: Engine, spec: Spec) -> PassOutlook:
    """Return whether there is work, which needs the lock, and what waits."""
    observed, correction = observe_corrected(engine.target, spec.name, engine.clock())
    if defect := waiting_defect(engine, spec, observed.ledger):
        return PassOutlook(PassResult(spec.name, error=defect), has_work=False)
    pass_plan = _plan_next(engine, spec, observed)
    work = ForecastWork(engine, pass_plan.desired, pass_plan.observed)
    started = observed.ledger.under_way
    result = PassResult(
        spec.name,
        waits=[*pass_waits(work, pass_plan), *map(waiting_sentence, started)],
        reported=reported_lines(work, pass_plan),
        error=pass_plan.missing,
        under_way=started,
        not_ready=why_not_ready(pass_plan.observed.conditions),
    )
    over = [one for one in started if engine.target.is_work_over(one)]
    running = blocks_changes(started, over, pass_plan.key, engine.clock())
    if running and any(one.step in ("evaluate", "finish") for one in started):
        return PassOutlook(result, has_work=False)  # whatever follows needs what is evaluated now
    seen = (
        (pass_plan.pending_changes and not running)
        or (pass_plan.handled_schedules and not running)
        or changed_conditions(pass_plan, pass_plan.observed.conditions, result.reported, "")
        or data_presence(pass_plan, "")
    )
    enforced = resource_mode(spec.forecast, "deployment") == "enforce"
    moves_on = enforced and not running and move_due(work, pass_plan.observed)
    # The alert handler uses the newest release's spec, and has to know if the spec has changed since.
    another = pass_plan.observed.ledger.spec not in ("", spec.spec_hash)
    mended = correction is not None or ended_pass(observed.ledger.failure)
    ages = not running and is_age_due(work, pass_plan)
    # A change that waits for its retry uses no work that has ended.
    ended = any(not (pass_plan.blocked and changes_resource(one.step)) for one in over)
    late = any(is_overdue(one, engine.clock()) for one in started)
    is_due = seen or another or mended or ended or late or has_news(work, pass_plan.observed) or moves_on or ages
    return PassOutlook(result, has_work=bool(is_due))


def _plan_next(engine: Engine, spec: Spec, observed: Observed) -> PassPlan:
    """Return the plan of a pass. While long work runs, it goes on with the data that this work was started for.

    Data that comes in meanwhile is for the pass after it: else data that comes in often would let no training end. A failure
    that is not tried again waits for other data, so that is looked for.
    """
    failure, steps = observed.ledger.failure, {started.step for started in observed.ledger.under_way}
    stalled = failure is not None and failure.next_at is None
    if steps and "check" not in steps and not stalled:
        return plan_on_checked_data(engine, spec, observed)
    return plan_pass(engine, spec, observed)


def _run_under_lock(engine: Engine, spec: Spec, result: PassResult) -> None:
    """Make the pass, and note each action in `result` at once, so that actions before an error are in it.

    After an error the steps that stand on the failed one are left out, as in a DAG. Watching goes on, and the pass is ended.
    """
    observed = record_clock_correction(engine.target, engine.target.observe_forecast(spec.name), engine.clock())
    pass_plan = _plan_next(engine, spec, observed)
    work = ForecastWork(engine, pass_plan.desired, pass_plan.observed)
    run = PassWork(work, spec, pass_plan, result)
    failed: set[str] = set()
    for step in PASS_STEPS:
        if step.part:
            continue
        if _is_held_up(step, failed):
            failed.add(step.name)
            _keep_under_way(run, step)
        elif isinstance(error := run_phase(run, step), WorkUnderWay):
            failed.add(step.name)
            _note_under_way(run, error)
        elif error:
            failed.add(step.name)
            _keep_under_way(run, step)
            result.error = result.error or error
        elif run.plan.blocked and step.kind:
            _keep_under_way(run, step)
    result.error = result.error or pass_plan.missing
    result.not_ready = why_not_ready(run.work.observed.conditions)
    if result.defect:
        record_defect_under_lock(engine, spec, result.defect)


def _is_held_up(step: PassStep, failed: set[str]) -> bool:
    """Return whether a step is left out because one before it failed. A part of a step stands for the step before it."""
    return step.runs != "any end" and any(name in failed for name in whole_steps_before(step))


def _note_under_way(run: PassWork, under_way: WorkUnderWay) -> None:
    """Note the long work that a step found running, once, and what is waited for."""
    result = run.result
    started = next(one for one in run.work.observed.ledger.under_way if one.name == under_way.name)
    if started not in result.under_way:
        result.under_way = (*result.under_way, started)
        result.waits.append(waiting_sentence(started))


def _keep_under_way(run: PassWork, step: PassStep) -> None:
    """Keep what is recorded for a step that did not look for it, because it was left out, failed before, or waits for its retry.

    Only until its deadline: whatever ends the wait may come later, or never.
    """
    for started in run.work.observed.ledger.under_way:
        if started.step == step.name:
            keep_started(run, started)


def keep_started(run: PassWork, started: StartedWork) -> bool:
    """Keep long work on record when the pass ends, and return whether it is: what is overdue is cancelled."""
    if is_overdue(started, run.work.engine.clock()):
        run.work.engine.target.cancel_work(started)
        return False
    run.result.under_way = (*run.result.under_way, started)
    return True


def run_phase(run: PassWork, step: PassStep, needs: Kind | None = None) -> MlspecError | None:
    """Carry out one step of a pass. Return the error that ended it, once it is recorded and its retry is planned.

    WorkUnderWay is among them, and is no failure: the long work that the step started or found running is recorded.
    If the kind of resource that `needs` names does not exist yet, everything before it that does not exist is made first.
    """
    try:
        if step.name != "check":
            run.plan_rest()
        run.work.step = step.name
        with recorded_start(run.work):
            if needs and needs not in run.work.observed.resources:
                apply_missing_before(run, needs)
            PHASES[step.name](run)
    except WorkUnderWay as under_way:
        return under_way
    except Exception as error:
        failure = as_error(error)
        logger.debug("the step %s failed", step.name, exc_info=error)
        if failure is error:
            _record_backoff(run.work, run.plan.key, failure)
        else:  # outside of an effect: the whole pass waits, and that is recorded when it is over
            run.result.defect = failure
        return failure
    return None


def record_pause(engine: Engine, spec: Spec) -> None:
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


def _record_backoff(work: ForecastWork, work_key: str, error: MlspecError) -> None:
    """Record that this work failed, and when it is retried; notify people once it is not retried any more."""
    at, ledger = work.engine.clock(), work.observed.ledger
    failure = next_failure(ledger.failure, work_key, error.message, at, permanent=not may_pass(error))
    events: tuple[Event, ...] = ()
    notices: tuple[PendingNotice, ...] = ()
    if failure.next_at is None:
        sentence = f"stalled until spec, data or code change: {error.message}"
        events = (Event(work.name, at, "Warning", "Stalled", sentence),)
        notices = pending_notices(work.desired.spec, (stalled_notice(work.desired.spec, sentence, at),), at)
    after = replace(after_failed_step(ledger, work.step), failure=failure, spec=work.desired.spec_hash)
    # The defect that ended the pass before is over: this failure takes its place.
    conditions = (healthy_condition(work.name, after, at),) if ended_pass(ledger.failure) else ()
    work.record_settlement(Settlement(work.name, events=events, conditions=conditions, ledger=after, notices=notices))
