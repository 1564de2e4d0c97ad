"""Makes one step of the loop's pass, as the tasks of a DAG do: a whole DAG run is one pass, with the same decisions and effects.

What plan, mode, budget, hold and back-off say holds in every step. A step whose work is not due does nothing, says so and is
well. It plans from what is recorded, so a task may run again, late or twice.

`check` looks at the source. Every later step works on the data that was checked last, so data that comes in during a run is for
the next one. A step does the work of no other: only what does not exist yet, such as the first data, is made first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from mlspec.engine.alert_handler import measure_move_ahead
from mlspec.engine.backfill import answer_older_moment
from mlspec.engine.clock import record_clock_correction
from mlspec.engine.context import Engine, Spec
from mlspec.engine.defects import as_error, record_defect_under_lock
from mlspec.engine.effects import ForecastWork, find_version
from mlspec.engine.pass_phases import PassWork
from mlspec.engine.pass_plan import PassPlan, plan_on_checked_data, plan_pass
from mlspec.engine.pass_result import PassResult
from mlspec.engine.reconcile import keep_started, record_pause, run_phase
from mlspec.engine.under_way import finish_by_waiting, recorded_start
from mlspec.errors import WorkStalled, WorkWaits
from mlspec.log_context import forecast_scope
from mlspec.plan.moments import format_moment, parse_moment
from mlspec.plan.run_moments import is_older_moment, is_since
from mlspec.plan.started_work import waiting_sentence
from mlspec.state.ledger import AlertRecord
from mlspec.state.observed import Observed
from mlspec.state.pass_steps import STEP_NAMES, PassStep, PassStepName, pass_step
from mlspec.state.resource import Json

TARGET_STEPS: tuple[PassStepName, ...] = STEP_NAMES
BEGAN = "began"  # the fact of `finish` that holds the incidents that its own evaluation began


def run_on_target(
    engine: Engine, spec: Spec, step: PassStepName, moment: str | None = None, lock_timeout: float = 0.0
) -> Mapping[str, Json]:
    """Make one step of a pass, for the scheduled moment of a run (RFC 3339; None for the present), and return its facts.

    `well` is False in the facts where a person should look: the gate kept a version out, an alert fires, the data is missing, or
    the pass could not do its work. With a moment, only what happened in this run counts, so that it is told once. A moment that is
    older than what is recorded changes nothing. Raises what the step raises.
    """
    with forecast_scope(spec.name, step):
        try:
            attempt = partial(_make_step, engine, spec, step, moment)
            return finish_by_waiting(engine, spec.name, attempt, lock_timeout)
        except Exception as error:
            failure = as_error(error)
            if failure is error:
                raise
            raise failure from error


def _make_step(
    engine: Engine, spec: Spec, step: PassStepName, moment: str | None, lock_timeout: float
) -> Mapping[str, Json]:
    moment = format_moment(parse_moment(moment)) if moment else None
    if moment and _is_older(engine, spec, moment):
        return answer_older_moment(engine, spec, step, moment, lock_timeout)
    if spec.forecast.reconcile.mode == "pause":
        record_pause(engine, spec)
        return {"well": True, "waits": ["reconcile.mode is pause: nothing is done"]}
    with engine.target.lock_forecast(spec.name, f"step {step}", engine.clock(), lock_timeout):
        # A run of a newer moment may have held the lock until now, as in a backfill, which starts many at once.
        if not (moment and _is_older(engine, spec, moment)):
            return _run_under_lock(engine, spec, pass_step(step), moment)
    return answer_older_moment(engine, spec, step, moment, lock_timeout)


def _is_older(engine: Engine, spec: Spec, moment: str) -> bool:
    """Return whether a moment is older than what is recorded, so that its answer is in the record."""
    # No read session: it would list all forecasts, and a step's account may see its own alone.
    ledger, newest_run = engine.target.observe_forecast(spec.name).ledger, engine.target.find_newest_run(spec.name)
    return is_older_moment(moment, ledger, newest_run, engine.clock())


def _run_under_lock(engine: Engine, spec: Spec, step: PassStep, moment: str | None) -> Mapping[str, Json]:
    observed = record_clock_correction(engine.target, engine.target.observe_forecast(spec.name), engine.clock())
    plan = plan_pass(engine, spec, observed) if step.name == "check" else plan_on_checked_data(engine, spec, observed)
    _raise_if_stalled(plan, step)
    run = PassWork(ForecastWork(engine, plan.desired, observed, moment=moment), spec, plan, PassResult(spec.name))
    if step.name == "finish":
        _keep_running(run)
    if error := run_phase(run, step, needs=step.kind):
        if run.result.defect:
            record_defect_under_lock(engine, spec, run.result.defect)
        raise error
    if step.name == "evaluate":
        with recorded_start(run.work):
            measure_move_ahead(run.work)
    facts = _FACTS[step.name](StepEnd(run, plan, moment)) if step.name in _FACTS else {}
    return {**_said(run.result), **facts}


def _keep_running(run: PassWork) -> None:
    """Keep what other tasks of this run started and left running, as a pass of the loop does: the next run goes on with it.

    What has ended was used by its task, or is found by its mark.
    """
    for started in run.work.observed.ledger.under_way:
        if started.step == "finish" or run.work.engine.target.is_work_over(started):
            continue
        if keep_started(run, started):
            run.result.waits.append(waiting_sentence(started))


def _raise_if_stalled(plan: PassPlan, step: PassStep) -> None:
    """Raise the failure of this step's work, if it failed before and its retry is not due: it must not look as if it were done."""
    failure = plan.observed.ledger.failure
    if failure is None or step.kind is None:
        return
    if not any(change.resource.startswith(f"{step.kind}.") for change in plan.waiting_changes):
        return
    hint = f"`mlspec resume {plan.desired.name}` tries it again at once"
    if failure.next_at:
        raise WorkWaits(f"failed work is tried again at {failure.next_at}: {failure.reason}", hint=hint)
    raise WorkStalled(f"failed work waits until spec, data or code change: {failure.reason}", hint=hint)


def _said(result: PassResult) -> dict[str, Json]:
    lists = {"did": result.actions, "waits": result.waits, "observed": result.reported, "heard": result.alert_changes}
    return {"well": not result.kept_out, **{name: lines for name, lines in lists.items() if lines}}


@dataclass(frozen=True, slots=True)
class StepEnd:
    """The end of a step: the pass as it is now, the plan that the step began with, and the moment of the run."""

    run: PassWork
    before: PassPlan
    moment: str | None

    @property
    def observed(self) -> Observed:
        """What is recorded now."""
        return self.run.work.observed


def _check_facts(end: StepEnd) -> Mapping[str, Json]:
    """Return what was checked. Missing data is not well, but what was checked last is still there to work on."""
    found = {name: end.observed.find_fact("data", name) for name in ("rows", "series", "cutoff")}
    missing = end.before.missing
    return {**found, "well": False, "message": missing.message} if missing else found


def _gate_facts(end: StepEnd) -> Mapping[str, Json]:
    """Return whether the gate kept a version out in this run. An earlier verdict was told by its own run."""
    judged = find_version(end.run.work, str(end.observed.find_fact("model", "version")))
    if judged is None:
        return {}
    rejected = judged.state == "rejected" and is_since(judged.created, end.moment)
    return {"well": not rejected, "version": judged.version, "verdicts": list(judged.reasons)}


def _traffic_facts(end: StepEnd) -> Mapping[str, Json]:
    return {name: end.observed.find_fact("deployment", name) for name in ("version", "release", "traffic")}


def _forecast_facts(end: StepEnd) -> Mapping[str, Json]:
    return {name: end.observed.find_fact("forecast", name) for name in ("rows", "start", "end")}


def _evaluate_facts(end: StepEnd) -> Mapping[str, Json]:
    """Return the alerts. It is well unless one fires; with a moment, unless an incident began in this run."""
    alerts = end.observed.ledger.alerts
    return {"well": not new_incidents(alerts, end.moment), "alerts": [alert_facts(alert) for alert in alerts]}


def new_incidents(alerts: tuple[AlertRecord, ...], moment: str | None) -> tuple[AlertRecord, ...]:
    """Return the alerts that fire, and whose incident began at `moment` or later; without a moment, all that fire."""
    return tuple(alert for alert in alerts if alert.state == "firing" and is_since(alert.began, moment))


def alert_facts(alert: AlertRecord) -> dict[str, Json]:
    """Return what a reader outside mlspec needs to know of an alert."""
    return {
        "name": alert.name, "state": alert.state, "value": alert.value, "message": alert.message, "began": alert.began,
        "incident": alert.incident,
    }  # fmt: skip


def _finish_facts(end: StepEnd) -> Mapping[str, Json]:
    """Return whether the whole pass did its work. A forecast that came due after this run's moment is for the next run."""
    plan = end.run.plan
    due = plan.slots.get("forecast")
    later = due is not None and end.moment is not None and due.slot > parse_moment(end.moment)
    undone = [
        change.resource for change in plan.pending_changes if not (later and change.resource.startswith("forecast."))
    ]
    failed = plan.missing is not None or plan.has_failed_work
    known = {alert.incident for alert in end.before.observed.ledger.alerts}
    began = [alert for alert in new_incidents(end.observed.ledger.alerts, None) if alert.incident not in known]
    lists = {"undone": undone, BEGAN: [alert_facts(alert) for alert in began]}
    return {"well": not (failed or undone), **{name: lines for name, lines in lists.items() if lines}}


_FACTS: dict[PassStepName, Callable[[StepEnd], Mapping[str, Json]]] = {
    "check": _check_facts,
    "evaluate": _evaluate_facts,
    "gate": _gate_facts,
    "register": _gate_facts,
    "roll-out": _traffic_facts,
    "move-traffic": _traffic_facts,
    "forecast": _forecast_facts,
    "finish": _finish_facts,
}
