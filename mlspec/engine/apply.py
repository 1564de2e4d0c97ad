"""Makes it so: for each forecast, under its lock, whatever is not yet as its spec wants it.

Level-triggered: what is done follows from what is seen under the lock, not from the plan that was shown. One effect at a time:
the journal says `started`, steps run and are filed, and the effect with all that follows from it is settled in one transaction.
A run that dies anywhere is finished by the next.
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
    """Apply each spec and return what came of it, in order. One that fails does not hold up the others.

    A signal ends the run: as StoppedPartWay if anything was written by then, as itself if not.
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
            f"stopped by {name}; what was done is recorded", hint="run the same command again: it goes on from there"
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
    except Exception as error:  # a defect in one forecast's work holds up no other
        failure = as_error(error)
        logger.debug("apply failed", exc_info=error)
        return ForecastOutcome(spec.name, "failed", error=failure, recorded=bool(work and work.effect_count))


def _unchanged_outcome(engine: Engine, observed: Observed) -> ForecastOutcome:
    """Return the outcome of a run that had nothing to do: all is as it shall be, or the gate's no still stands."""
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
        )  # by what serves: a version that is kept out holds up no forecast
        return ForecastOutcome(work.name, "kept-out", version=work.version, run=work.run, recorded=True)
    outcome = _unchanged_outcome(work.engine, work.observed)
    if not work.written or outcome.status == "kept-out":
        return outcome  # another run did it while this one waited; or a lost file was mended, and the gate's no stands
    return ForecastOutcome(work.name, "applied", outcome.version, work.release, work.run, recorded=True)


def perform_effect(work: ForecastWork, kind: Kind, effect: Callable[[ForecastWork], None]) -> None:
    """Carry out one effect if its resource is not as it shall be, with the journal's lines around it."""
    change = _next_change(work, kind)
    if change.action == "none":
        return
    work.written = True
    work.engine.target.write_journal(work.name, change.resource, "started", change.reason, work.engine.clock())
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
    """Record that an effect failed, and why; what was settled before it stays, and what served goes on serving."""
    target, at = work.engine.target, work.engine.clock()
    message = error.message if isinstance(error, MlspecError) else f"stopped by {type(error).__name__}"
    target.write_journal(work.name, f"{kind}.{work.name}", "failed", message, at)
    if not isinstance(error, MlspecError):
        return
    reason = "DataRefused" if isinstance(error, DataError) else "StepFailed"
    event = Event(work.name, at, "Warning", reason, message)
    condition = Condition(work.name, CONDITION_OF[kind], "False", reason, message, at)
    work.observed = target.record_settlement(Settlement(work.name, events=(event,), conditions=(condition,)), at)
