"""Applies specs: brings each forecast, under its lock, from the observed to the desired state.

Level-triggered: the changes follow from the state observed under the lock, not from the plan that was shown. Effects run one
after the other: the journal records `started`, steps run and are stored, and the effect is recorded with its consequences in
one transaction. If a run is killed, the next run finishes its work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from mlspec.engine.context import Engine, Spec
from mlspec.engine.defects import as_error
from mlspec.engine.effects import ForecastWork, judge_model, make_forecast, read_data
from mlspec.engine.outcome import ForecastOutcome, OutcomeStatus
from mlspec.engine.traffic import deploy_version
from mlspec.errors import DataError, GateClosed, MlspecError, StoppedPartWay, Terminated
from mlspec.log_context import forecast_scope
from mlspec.plan.diff import plan_changes
from mlspec.state.observed import Observed, Settlement
from mlspec.state.plan import Change
from mlspec.state.record import CONDITION_OF, Condition, Event
from mlspec.state.resource import Kind

logger = logging.getLogger(__name__)
EFFECTS: dict[Kind, Callable[[ForecastWork], None]] = {
    "data": read_data,
    "model": judge_model,
    "deployment": deploy_version,
    "forecast": make_forecast,
}


def apply_specs(engine: Engine, specs: Sequence[Spec], lock_timeout: float = 0.0) -> tuple[ForecastOutcome, ...]:
    """Apply each spec and return the outcomes, in order. A spec that fails does not stop the others.

    A signal ends the run: with StoppedPartWay if anything was written before, else with the signal's own exception.
    """
    works: list[ForecastWork] = []
    try:
        outcomes = []
        with engine.target.hash_files_once():
            for spec in specs:
                with forecast_scope(spec.name):
                    outcomes.append(_apply_one(engine, spec, lock_timeout, works))
        return tuple(outcomes)
    except (KeyboardInterrupt, Terminated) as stopped:
        if not any(work.written for work in works):
            raise
        name = "SIGINT" if isinstance(stopped, KeyboardInterrupt) else "SIGTERM"
        raise StoppedPartWay(
            f"stopped by {name}; what was done is recorded", hint="run the same command again to continue"
        ) from stopped


def _apply_one(engine: Engine, spec: Spec, lock_timeout: float, works: list[ForecastWork]) -> ForecastOutcome:
    work: ForecastWork | None = None
    try:
        observed = engine.target.observe_forecast(spec.name)
        if all(change.action == "none" for change in plan_changes(engine.desired_forecast(spec), observed)):
            return _unchanged_outcome(engine, observed)
        with engine.target.lock_forecast(spec.name, "apply", engine.clock(), lock_timeout):
            work = ForecastWork(engine, engine.desired_forecast(spec), engine.target.observe_forecast(spec.name))
            works.append(work)
            return _apply_under_lock(work)
    except Exception as error:  # a defect in one forecast's work does not stop the others
        failure = as_error(error)
        logger.debug("apply failed", exc_info=error)
        return ForecastOutcome(spec.name, "failed", error=failure, recorded=bool(work and work.effect_count))


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
    return ForecastOutcome(observed.forecast, status, version=version)


def _apply_under_lock(work: ForecastWork) -> ForecastOutcome:
    try:
        for kind, effect in EFFECTS.items():
            perform_effect(work, kind, effect)
    except GateClosed:
        perform_effect(
            work, "forecast", make_forecast
        )  # made by the version that serves: a rejected version does not stop the forecast
        return ForecastOutcome(work.name, "kept-out", version=work.version, run=work.run, recorded=True)
    outcome = _unchanged_outcome(work.engine, work.observed)
    if not work.written or outcome.status == "kept-out":
        return outcome  # another run did it while this one waited; or a lost file was restored, and the gate's rejection holds
    return ForecastOutcome(work.name, "applied", outcome.version, work.release, work.run, recorded=True)


def perform_effect(work: ForecastWork, kind: Kind, effect: Callable[[ForecastWork], None]) -> None:
    """Carry out one effect if its resource is not up to date, and write the journal before and after."""
    change = _next_change(work, kind)
    if change.action == "none":
        return
    work.written = True
    work.engine.target.write_journal(
        work.name, resource=change.resource, phase="started", detail=change.reason, at=work.engine.clock()
    )
    try:
        effect(work)
    except GateClosed:
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


def record_failure(work: ForecastWork, kind: Kind, error: BaseException) -> None:
    """Record that an effect failed, and why. Effects recorded before it stay, and the version that served keeps serving."""
    target, at = work.engine.target, work.engine.clock()
    message = error.message if isinstance(error, MlspecError) else f"stopped by {type(error).__name__}"
    target.write_journal(work.name, resource=f"{kind}.{work.name}", phase="failed", detail=message, at=at)
    if not isinstance(error, MlspecError):
        return
    reason = "DataRefused" if isinstance(error, DataError) else "StepFailed"
    event = Event(work.name, at, "Warning", reason, message)
    condition = Condition(work.name, CONDITION_OF[kind], "False", reason, message, at)
    work.observed = target.record_settlement(Settlement(work.name, events=(event,), conditions=(condition,)), at)
