"""Makes it so: for each forecast, under its lock, whatever is not yet as its spec wants it.

Level-triggered: what is done follows from what is seen under the lock, not from the plan that was shown. One effect at a time:
the journal says `started`, steps run and are filed, and the effect with all that follows from it is settled in one transaction.
A run that dies anywhere is finished by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlspec.engine.context import Engine, Spec
from mlspec.engine.effects import Work, deploy, forecast, judge, read_data
from mlspec.engine.outcome import Outcome
from mlspec.errors import DataError, GateClosed, MlspecError
from mlspec.plan.diff import changes
from mlspec.state.observed import Settlement
from mlspec.state.plan import Change
from mlspec.state.record import Condition, ConditionType, Event
from mlspec.state.resource import Kind

_EFFECTS: dict[Kind, Callable[[Work], None]] = {
    "data": read_data,
    "model": judge,
    "deployment": deploy,
    "forecast": forecast,
}
_CONDITIONS: dict[Kind, ConditionType] = {
    "data": "DataReady",
    "model": "ModelReady",
    "deployment": "Deployed",
    "forecast": "Deployed",
}


def apply(engine: Engine, specs: Sequence[Spec], lock_timeout: float = 0.0) -> tuple[Outcome, ...]:
    """Apply each spec and return what came of it, in order. One that fails does not hold up the others."""
    return tuple(_apply_one(engine, spec, lock_timeout) for spec in specs)


def _apply_one(engine: Engine, spec: Spec, lock_timeout: float) -> Outcome:
    work: Work | None = None
    try:
        if all(change.action == "none" for change in changes(engine.wanted(spec), engine.target.observe(spec.name))):
            return _nothing(engine, spec)
        with engine.target.lock(spec.name, "apply", engine.clock(), lock_timeout):
            work = Work(engine, engine.wanted(spec))
            return _under_lock(work)
    except MlspecError as error:
        return Outcome(spec.name, "failed", error=error, recorded=bool(work and work.settled))


def _nothing(engine: Engine, spec: Spec) -> Outcome:
    observed = engine.target.observe(spec.name)
    wanted = observed.fact("model", "version")
    version = next((found for found in engine.target.versions(spec.name) if found.version == wanted), None)
    kept_out = observed.fact("model", "state") == "rejected"
    return Outcome(spec.name, "kept-out" if kept_out else "nothing", version=version)


def _under_lock(work: Work) -> Outcome:
    for kind, effect in _EFFECTS.items():
        change = _next(work, kind)
        if change.action == "none":
            continue
        work.engine.target.journal(work.name, change.resource, "started", change.reason, work.engine.clock())
        try:
            effect(work)
        except GateClosed:
            return Outcome(work.name, "kept-out", version=work.version, recorded=True)
        except BaseException as error:
            _say_failed(work, kind, change, error)
            raise
    version = work.version or _nothing(work.engine, _Applied(work)).version
    return Outcome(work.name, "applied", version=version, release=work.release, run=work.run, recorded=True)


def _next(work: Work, kind: Kind) -> Change:
    found = changes(work.wanted, work.engine.target.observe(work.name))
    return next(change for change in found if change.resource == f"{kind}.{work.name}")


def _say_failed(work: Work, kind: Kind, change: Change, error: BaseException) -> None:
    """Record that an effect failed, and why; what was settled before it stays."""
    target, at = work.engine.target, work.engine.clock()
    told = error.message if isinstance(error, MlspecError) else f"stopped by {type(error).__name__}"
    target.journal(work.name, change.resource, "failed", told, at)
    if not isinstance(error, MlspecError):
        return
    reason = "DataRefused" if isinstance(error, DataError) else "StepFailed"
    event = Event(work.name, at, "Warning", reason, told)
    condition = Condition(work.name, _CONDITIONS[kind], "False", reason, told, at)
    # A version that serves goes on serving, so only a data or model condition of its own turns false.
    conditions = (condition,) if kind in ("data", "model") else ()
    target.settle(Settlement(work.name, events=(event,), conditions=conditions), at)


class _Applied:
    """A wanted forecast, as the engine's Spec."""

    def __init__(self, work: Work) -> None:
        self.name = work.wanted.name
        self.json = work.wanted.spec
        self.spec_hash = work.wanted.spec_hash
