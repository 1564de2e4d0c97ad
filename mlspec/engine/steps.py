"""Runs the pipeline one step at a time, as the tasks of a DAG do: the same effects as `apply`, stopped after one step.

Level-triggered like apply: a step first carries out the effects that it needs, takes stored results of the same inputs, and
changes nothing if all is up to date. So a task may run again, late or twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from mlspec.engine.alert_handler import measure_move_ahead
from mlspec.engine.apply import EFFECTS, perform_effect, record_failure
from mlspec.engine.context import Engine, Spec
from mlspec.engine.effects import (
    BacktestVerdict,
    ForecastWork,
    check_again,
    run_backtest,
    serving_candidate,
    train_champion,
)
from mlspec.engine.evaluation import evaluate_forecasts
from mlspec.errors import DataError, GateClosed
from mlspec.plan.diff import plan_changes
from mlspec.plan.gate import all_rules_pass
from mlspec.state.resource import KINDS, Json, Kind

TargetStep = Literal["check", "backtest", "gate", "train", "register", "roll-out", "forecast", "evaluate"]


def run_on_target(
    engine: Engine, spec: Spec, step: TargetStep, moment: str, lock_timeout: float = 0.0
) -> Mapping[str, Json]:
    """Run one step for the scheduled moment of a run (RFC 3339), and return its facts.

    `well` is False in the facts if the gate rejects the version, or if a threshold is broken. Raises what the step raises.
    """
    with engine.target.lock_forecast(spec.name, f"step {step}", engine.clock(), lock_timeout):
        desired_forecast = engine.desired_forecast(spec)
        work = ForecastWork(engine, desired_forecast, engine.target.observe_forecast(spec.name), moment=moment)
        try:
            return _STEPS[step](work)
        except GateClosed as closed:
            return {"well": False, "message": closed.message}


def _apply_up_to(work: ForecastWork, last: Kind) -> None:
    """Carry out the effects up to one kind of resource; those that are up to date are skipped."""
    for kind in KINDS[: KINDS.index(last) + 1]:
        perform_effect(work, kind, EFFECTS[kind])


def _check_step(work: ForecastWork) -> Mapping[str, Json]:
    _apply_up_to(work, "data")
    try:
        return {"well": True, **check_again(work)}
    except DataError as error:
        record_failure(work, "data", error)
        raise


def _backtest_step(work: ForecastWork) -> Mapping[str, Json]:
    _apply_up_to(work, "data")
    facts = _test_candidates(work).facts if _is_stale(work, "model") else {}
    return {"well": True, **{key: facts[key] for key in ("champion", "metrics") if key in facts}}


def _test_candidates(work: ForecastWork) -> BacktestVerdict:
    return run_backtest(work, serving_candidate(work))


def _gate_step(work: ForecastWork) -> Mapping[str, Json]:
    """Judge whether the version may serve. A rejection is recorded with the version; a pass is recorded by the step `register`."""
    _apply_up_to(work, "data")
    if not _is_stale(work, "model"):
        return {"well": _may_serve(work)}
    verdicts = _test_candidates(work).verdicts
    if not all_rules_pass(verdicts):
        _apply_up_to(work, "model")
    return {"well": True, "verdicts": [f"{verdict.outcome}: {verdict.sentence}" for verdict in verdicts]}


def _train_step(work: ForecastWork) -> Mapping[str, Json]:
    _apply_up_to(work, "data")
    if _is_stale(work, "model"):
        train_champion(work, _test_candidates(work))
    return {"well": True}


def _register_step(work: ForecastWork) -> Mapping[str, Json]:
    _apply_up_to(work, "model")
    return {
        "well": _may_serve(work),
        "version": work.observed.find_fact("model", "version"),
    }


def _roll_out_step(work: ForecastWork) -> Mapping[str, Json]:
    _apply_up_to(work, "deployment")
    observed = work.observed
    named = {name: observed.find_fact("deployment", name) for name in ("version", "release", "traffic")}
    return {"well": _may_serve(work), **named}


def _forecast_step(work: ForecastWork) -> Mapping[str, Json]:
    _apply_up_to(work, "forecast")
    observed = work.observed
    return {"well": True, **{name: observed.find_fact("forecast", name) for name in ("rows", "start", "end")}}


def _evaluate_step(work: ForecastWork) -> Mapping[str, Json]:
    judged = evaluate_forecasts(work).judged
    measure_move_ahead(work)
    alerts = [
        {"name": alert.alert, "state": alert.state, "value": alert.value, "message": alert.sentence} for alert in judged
    ]
    return {"well": all(alert.state != "firing" for alert in judged), "alerts": alerts}


def _may_serve(work: ForecastWork) -> bool:
    """Return whether the judged version passed the gate. A rejected version is neither registered nor rolled out."""
    return bool(work.observed.find_fact("model", "state") != "rejected")


def _is_stale(work: ForecastWork, kind: Kind) -> bool:
    planned_changes = plan_changes(work.desired, work.observed)
    return any(change.action != "none" for change in planned_changes if change.resource == f"{kind}.{work.name}")


_STEPS: dict[TargetStep, Callable[[ForecastWork], Mapping[str, Json]]] = {
    "check": _check_step,
    "backtest": _backtest_step,
    "gate": _gate_step,
    "train": _train_step,
    "register": _register_step,
    "roll-out": _roll_out_step,
    "forecast": _forecast_step,
    "evaluate": _evaluate_step,
}
TARGET_STEPS: tuple[TargetStep, ...] = tuple(_STEPS)
