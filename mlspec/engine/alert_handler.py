"""Handles an alert at once: rolls back the version that serves, if the record already holds the evidence for it.

It makes the decision of the loop's pass, from the same record and under the same lock. It runs no step, because it may run in a
small service that is called from outside. If a decision needs values that are not measured yet, the next pass makes it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from mlspec.engine import counterfactual
from mlspec.engine.clock import observe_corrected
from mlspec.engine.context import Engine
from mlspec.engine.defects import as_error
from mlspec.engine.effects import ForecastWork
from mlspec.engine.evaluation import evaluate_serving_alerts, evaluation_facts, has_serving_alarm
from mlspec.engine.pass_plan import resource_mode
from mlspec.engine.pass_result import PassResult
from mlspec.engine.rollback import TrafficMove, evaluate_if_new, has_news, move_due, move_traffic, rollback_decision
from mlspec.engine.under_way import forget_used, recorded_start
from mlspec.errors import Exit, MlspecError, WorkUnderWay
from mlspec.log_context import forecast_scope
from mlspec.plan.desired import DesiredForecast
from mlspec.plan.releases import release_spec
from mlspec.plan.rollback import RollBack, Stay
from mlspec.plan.rollout import Abort, Shift
from mlspec.plan.started_work import started_work
from mlspec.state.ledger import Ledger
from mlspec.state.observed import Observed, SourceFacts
from mlspec.state.step import Progress, RemoteStep, StepRequest
from mlspec.targets.base import OpenedTarget

logger = logging.getLogger(__name__)
_PATIENCE = 360.0  # seconds to wait for deployments: the function that calls this is ended after 540


class StepNotRun(MlspecError):
    """A decision needs a step that was not run yet."""

    exit_code = Exit.NOT_WELL


def handle_alert(target: OpenedTarget, forecast: str, clock: Callable[[], str]) -> PassResult:
    """Judge the version that serves, under the released spec, and move traffic back if that follows; return the result.

    `clock` returns RFC 3339 in UTC. Errors are noted in the result, as in a pass. If nothing is due, no lock is taken. It does
    not wait for a lock that is held: the holder of the lock, or the next pass, makes the same decision. If the version that takes
    over has to be deployed first, it waits for a few minutes, without the lock. If that takes longer, the next pass goes on. A
    deployment that fails stays recorded, so that no answer starts it again: the next pass plans its retry.
    """
    with forecast_scope(forecast):
        found, until = PassResult(forecast), time.monotonic() + _PATIENCE
        while True:
            try:
                return _answer(target, forecast, clock, found)
            except WorkUnderWay as under_way:
                started = started_work(under_way, Ledger(), "", clock())
                if not target.wait_for_work((started,), until - time.monotonic()):
                    found.waits = [under_way.message]  # the next pass finds what runs, and goes on
                    return found


def _answer(target: OpenedTarget, forecast: str, clock: Callable[[], str], found: PassResult) -> PassResult:
    try:
        if _work_due(target, forecast, clock, found):
            with target.lock_forecast(forecast, "answer", clock(), 0.0):
                now = clock()  # one moment for the check and the action, so that nothing comes due in between
                if work := _work_due(target, forecast, lambda: now, found):
                    with recorded_start(work):
                        _evaluate_and_move_back(work, found)
    except WorkUnderWay:
        raise
    except StepNotRun as error:
        found.waits = [error.message]
    except Exception as error:  # a defect is in the result too: the caller starts a pass, which records it
        logger.debug("the alert could not be answered", exc_info=error)
        found.error = as_error(error)
    return found


def _evaluate_and_move_back(work: ForecastWork, result: PassResult) -> None:
    """Evaluate from stored steps, or only from request counts, and move traffic back if that follows; never forward."""
    try:
        result.alert_changes += evaluate_if_new(work)
    except StepNotRun:
        if has_serving_alarm(work, work.observed):
            result.alert_changes += evaluate_serving_alerts(work).alert_changes
    if not _defer_rollout_step(move_due(work, work.observed), result):
        move_traffic(work, result)
    if result.actions:
        forget_used(work)


def _defer_rollout_step(due: TrafficMove | None, result: PassResult) -> bool:
    """Return whether a rollout would take its next step. A message starts no step, because its evidence may be old."""
    if isinstance(due, Shift):
        result.waits = [f"the rollout continues at the next pass: {due.why}"]
    return isinstance(due, Shift)


def _work_due(target: OpenedTarget, forecast: str, clock: Callable[[], str], result: PassResult) -> ForecastWork | None:
    """Return the work on a forecast, if there is something to judge or to move back; else None, and note why.

    Raises StepNotRun if the stored steps are not enough to judge by.
    """
    observed, _correction = observe_corrected(target, forecast, clock())
    work = _work_of_newest_release(target, observed, clock)
    result.waits = [] if work else ["nothing serves"]
    # Also if only another resource is in observe mode: what to do with such a forecast is decided by a whole pass.
    result.paused = any(condition.type == "Paused" and condition.status == "True" for condition in observed.conditions)
    if work is None or result.paused or resource_mode(work.desired.spec, "deployment") != "enforce":
        return None
    if observed.ledger.spec != work.desired.spec_hash:
        raise StepNotRun("the spec has changed since the newest release: the next pass decides")
    due = move_due(work, observed)
    if (due and not _defer_rollout_step(due, result)) or _has_evidence(work, observed):
        return work
    decision = rollback_decision(work, observed)
    result.waits += [decision.why] if isinstance(decision, Stay) and decision.why else []
    return None


def _has_evidence(work: ForecastWork, observed: Observed) -> bool:
    """Return whether stored steps hold new evidence, or a server's request counts, which need no stored step, fire an alert."""
    if not has_news(work, observed):
        return False
    try:
        evaluation_facts(work, observed)
    except StepNotRun:
        if not has_serving_alarm(work, observed):
            raise
    return True


def measure_move_ahead(work: ForecastWork) -> None:
    """Run the steps that the next move of traffic needs, if one is due, so that they are stored when the alert is handled.

    Moves no traffic, and records only steps. An error here occurs again in the pass that moves traffic, and that pass reports
    it.
    """
    if resource_mode(work.desired.spec, "deployment") != "enforce":
        return
    try:
        due = move_due(work, work.observed)
        if isinstance(due, RollBack | Abort):
            counterfactual.measure_move(work, work.observed, due)
    except WorkUnderWay:
        raise
    except Exception as error:  # the evaluation is recorded already, so the task must not fail here
        logger.debug("the rollback targets cannot be compared yet", exc_info=error)
        problem = error.message if isinstance(error, MlspecError) else type(error).__name__
        work.engine.tell(work.name, "evaluate", 1, 1, f"the rollback targets cannot be compared yet: {problem}")


def _work_of_newest_release(target: OpenedTarget, observed: Observed, clock: Callable[[], str]) -> ForecastWork | None:
    """Return the work on a forecast with its newest release's spec and the data that was read last; None if nothing serves.

    Steps are looked up under the code and the libraries of the last evaluation, because this process may have neither.
    """
    releases, data = target.load_releases(observed.forecast), observed.resources.get("data")
    if not releases or data is None or "deployment" not in observed.resources:
        return None
    source = SourceFacts(str(data.resource.fields["data.digest"]), (), 0)
    made_with = {"code": "", "mlspec": "", "libraries": {}, **observed.ledger.made_with}
    spec = release_spec(releases[0])
    desired_forecast = DesiredForecast(
        observed.forecast, spec, releases[0].spec_hash, source, made_with["code"],
        metric_code=made_with.get("metrics", {}),
    )  # fmt: skip
    engine = Engine(
        target,
        _refuse_local_step,
        Path(),
        clock,
        made_with["code"],
        made_with["libraries"],
        _ignore_progress,
        made_with["mlspec"],
        run_remote_step=_refuse_remote_step,
    )
    return ForecastWork(engine, desired_forecast, observed, step="move-traffic")


def _refuse_remote_step(step: RemoteStep) -> NoReturn:
    raise StepNotRun(f"{step.step} has to be run for this decision: the next pass runs it")


def _refuse_local_step(request: StepRequest, progress: Progress) -> NoReturn:  # noqa: ARG001
    raise StepNotRun(f"{request.step} cannot be run here")


def _ignore_progress(forecast: str, step: str, done: int, total: int, text: str) -> None:
    """Show no progress."""
