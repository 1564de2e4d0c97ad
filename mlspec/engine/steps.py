"""The pipeline one step at a time, as the tasks of a DAG run it on a target: the same effects as `apply`, stopped after one.

Level-triggered like apply: a step first does what it stands on and is not there yet, finds what was filed under the same inputs,
and changes nothing where all is as it shall be. So a task may run again, late or twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from mlspec.engine.alert_handler import weigh_ahead
from mlspec.engine.apply import EFFECTS, perform, say_failed
from mlspec.engine.context import Engine, Spec
from mlspec.engine.effects import (
    Tested,
    Work,
    backtest,
    check_again,
    serving_candidate,
    train,
)
from mlspec.engine.evaluation import evaluate
from mlspec.errors import DataError, GateClosed
from mlspec.plan.diff import changes
from mlspec.plan.gate import passes
from mlspec.state.resource import KINDS, Json, Kind

TargetStep = Literal["check", "backtest", "gate", "train", "register", "roll-out", "forecast", "evaluate"]


def run_on_target(
    engine: Engine, spec: Spec, step: TargetStep, moment: str, lock_timeout: float = 0.0
) -> Mapping[str, Json]:
    """Run one step for the moment that a run is about (RFC 3339), and return its facts.

    `well` is False in them where the gate keeps the version out, or a threshold is broken. Raises what the step raises.
    """
    with engine.target.lock(spec.name, f"step {step}", engine.clock(), lock_timeout):
        work = Work(engine, engine.wanted(spec), moment=moment)
        try:
            return _STEPS[step](work)
        except GateClosed as closed:
            return {"well": False, "message": closed.message}


def _make(work: Work, last: Kind) -> None:
    """Carry out the effects up to one resource, those that are not as they shall be."""
    for kind in KINDS[: KINDS.index(last) + 1]:
        perform(work, kind, EFFECTS[kind])


def _check(work: Work) -> Mapping[str, Json]:
    _make(work, "data")
    try:
        return {"well": True, **check_again(work)}
    except DataError as error:
        say_failed(work, "data", error)
        raise


def _backtest(work: Work) -> Mapping[str, Json]:
    _make(work, "data")
    facts = _tested(work).facts if _stale(work, "model") else {}
    return {"well": True, **{key: facts[key] for key in ("champion", "metrics") if key in facts}}


def _tested(work: Work) -> Tested:
    return backtest(work, serving_candidate(work))


def _gate(work: Work) -> Mapping[str, Json]:
    """Say whether the version may serve. A no is recorded with the version; a yes is, once it is registered."""
    _make(work, "data")
    if not _stale(work, "model"):
        return {"well": _may_serve(work)}
    verdicts = _tested(work).verdicts
    if not passes(verdicts):
        _make(work, "model")
    return {"well": True, "verdicts": [f"{verdict.outcome}: {verdict.sentence}" for verdict in verdicts]}


def _train(work: Work) -> Mapping[str, Json]:
    _make(work, "data")
    if _stale(work, "model"):
        train(work, _tested(work))
    return {"well": True}


def _register(work: Work) -> Mapping[str, Json]:
    _make(work, "model")
    return {"well": _may_serve(work), "version": work.engine.target.observe(work.name).fact("model", "version")}


def _roll_out(work: Work) -> Mapping[str, Json]:
    _make(work, "deployment")
    observed = work.engine.target.observe(work.name)
    named = {name: observed.fact("deployment", name) for name in ("version", "release", "traffic")}
    return {"well": _may_serve(work), **named}


def _forecast(work: Work) -> Mapping[str, Json]:
    _make(work, "forecast")
    observed = work.engine.target.observe(work.name)
    return {"well": True, **{name: observed.fact("forecast", name) for name in ("rows", "start", "end")}}


def _evaluate(work: Work) -> Mapping[str, Json]:
    judged = evaluate(work).judged
    weigh_ahead(work)
    alerts = [
        {"name": each.alert, "state": each.state, "value": each.value, "message": each.sentence} for each in judged
    ]
    return {"well": all(each.state != "firing" for each in judged), "alerts": alerts}


def _may_serve(work: Work) -> bool:
    """Return whether the judged version passed the gate; one that was kept out is neither registered nor rolled out later on."""
    return bool(work.engine.target.observe(work.name).fact("model", "state") != "rejected")


def _stale(work: Work, kind: Kind) -> bool:
    found = changes(work.wanted, work.engine.target.observe(work.name))
    return any(change.action != "none" for change in found if change.resource == f"{kind}.{work.name}")


_STEPS: dict[TargetStep, Callable[[Work], Mapping[str, Json]]] = {
    "check": _check,
    "backtest": _backtest,
    "gate": _gate,
    "train": _train,
    "register": _register,
    "roll-out": _roll_out,
    "forecast": _forecast,
    "evaluate": _evaluate,
}
TARGET_STEPS: tuple[TargetStep, ...] = tuple(_STEPS)
