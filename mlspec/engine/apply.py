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
from mlspec.engine.effects import Work, forecast, judge, read_data
from mlspec.engine.moves import deploy
from mlspec.engine.outcome import Outcome, Status
from mlspec.errors import DataError, GateClosed, MlspecError, StoppedPartWay, Terminated
from mlspec.log_context import forecast_scope
from mlspec.plan.diff import changes
from mlspec.state.observed import Observed, Settlement
from mlspec.state.plan import Change
from mlspec.state.record import CONDITION_OF, Condition, Event
from mlspec.state.resource import Kind

logger = logging.getLogger(__name__)
EFFECTS: dict[Kind, Callable[[Work], None]] = {
    "data": read_data,
    "model": judge,
    "deployment": deploy,
    "forecast": forecast,
}


def apply(engine: Engine, specs: Sequence[Spec], lock_timeout: float = 0.0) -> tuple[Outcome, ...]:
    """Apply each spec and return what came of it, in order. One that fails does not hold up the others.

    A signal ends the run: as StoppedPartWay if anything was written by then, as itself if not.
    """
    works: list[Work] = []
    try:
        outcomes = []
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


def _apply_one(engine: Engine, spec: Spec, lock_timeout: float, works: list[Work]) -> Outcome:
    work: Work | None = None
    try:
        observed = engine.target.observe(spec.name)
        if all(change.action == "none" for change in changes(engine.wanted(spec), observed)):
            return _as_it_was(engine, observed)
        with engine.target.lock(spec.name, "apply", engine.clock(), lock_timeout):
            work = Work(engine, engine.wanted(spec))
            works.append(work)
            return _under_lock(work)
    except Exception as error:  # a defect in one forecast's work holds up no other
        failure = as_error(error)
        logger.debug("apply failed", exc_info=error)
        return Outcome(spec.name, "failed", error=failure, recorded=bool(work and work.settled))


def _as_it_was(engine: Engine, observed: Observed) -> Outcome:
    """Return the outcome of a run that had nothing to do: all is as it shall be, or the gate's no still stands."""
    status: Status = "kept-out" if observed.fact("model", "state") == "rejected" else "nothing"
    judged = observed.fact("model", "version")
    version = next((found for found in engine.target.versions(observed.forecast) if found.version == judged), None)
    return Outcome(observed.forecast, status, version=version)


def _under_lock(work: Work) -> Outcome:
    try:
        for kind, effect in EFFECTS.items():
            perform(work, kind, effect)
    except GateClosed:
        perform(work, "forecast", forecast)  # by what serves: a version that is kept out holds up no forecast
        return Outcome(work.name, "kept-out", version=work.version, run=work.run, recorded=True)
    found = _as_it_was(work.engine, work.engine.target.observe(work.name))
    if not work.written or found.status == "kept-out":
        return found  # another run did it while this one waited; or a lost file was mended, and the gate's no stands
    return Outcome(work.name, "applied", found.version, work.release, work.run, recorded=True)


def perform(work: Work, kind: Kind, effect: Callable[[Work], None]) -> None:
    """Carry out one effect if its resource is not as it shall be, with the journal's lines around it."""
    change = _next(work, kind)
    if change.action == "none":
        return
    work.written = True
    work.engine.target.journal(work.name, change.resource, "started", change.reason, work.engine.clock())
    try:
        effect(work)
    except GateClosed:
        raise
    except Exception as error:
        failure = as_error(error)
        say_failed(work, kind, failure)
        if failure is error:
            raise
        raise failure from error
    except BaseException as error:
        say_failed(work, kind, error)
        raise


def _next(work: Work, kind: Kind) -> Change:
    found = changes(work.wanted, work.engine.target.observe(work.name))
    return next(change for change in found if change.resource == f"{kind}.{work.name}")


def say_failed(work: Work, kind: Kind, error: BaseException) -> None:
    """Record that an effect failed, and why; what was settled before it stays, and what served goes on serving."""
    target, at = work.engine.target, work.engine.clock()
    told = error.message if isinstance(error, MlspecError) else f"stopped by {type(error).__name__}"
    target.journal(work.name, f"{kind}.{work.name}", "failed", told, at)
    if not isinstance(error, MlspecError):
        return
    reason = "DataRefused" if isinstance(error, DataError) else "StepFailed"
    event = Event(work.name, at, "Warning", reason, told)
    condition = Condition(work.name, CONDITION_OF[kind], "False", reason, told, at)
    target.settle(Settlement(work.name, events=(event,), conditions=(condition,)), at)
