"""What each step of a pass does, for the loop, which makes all of them in turn, and for a DAG, whose tasks make one each.

Every step plans anew what is due, from what is recorded: so it does the same wherever it runs, late, twice or after a crash.
`state.pass_steps` says in which order they run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mlspec.engine.actuals import publish_actuals
from mlspec.engine.apply import EFFECTS, Outcome, carry_out, perform_effect
from mlspec.engine.context import Spec
from mlspec.engine.effects import (
    BacktestVerdict,
    ForecastWork,
    check_age,
    is_age_unchecked,
    run_backtest,
    serving_candidate,
    train_champion,
    version_name,
)
from mlspec.engine.pass_end import end_pass, record_data_presence, waiting_reasons
from mlspec.engine.pass_plan import PassPlan, plan_on_checked_data, resource_mode
from mlspec.engine.pass_result import PassResult
from mlspec.engine.prune import prune_after_pass
from mlspec.engine.rollback import TrafficMove, evaluate_if_new, has_news, move_due, move_traffic, rollback_decision
from mlspec.engine.traffic import deploy_forecast_data
from mlspec.errors import GateClosed, WorkUnderWay
from mlspec.plan import rollback
from mlspec.plan.diff import done_sentence, is_only_outdated
from mlspec.plan.gate import all_rules_pass
from mlspec.plan.rollout import Abort, Shift
from mlspec.plan.training import alerts_asking_training, recent_trainings, trained_note
from mlspec.state.observed import Settlement
from mlspec.state.pass_steps import PassStepName
from mlspec.state.resource import KINDS, Kind

_MOVES: dict[type[TrafficMove], str] = {
    Shift: "a rollout would continue", Abort: "a rollout would be aborted",
    rollback.RollBack: "the version that serves would be rolled back", rollback.GiveUp: "the release would be held",
}  # fmt: skip


@dataclass
class PassWork:
    """A pass under way, or one step of it: the work on the forecast, its plan at this point, and what was done so far."""

    work: ForecastWork
    spec: Spec
    plan: PassPlan
    result: PassResult

    def plan_rest(self) -> None:
        """Plan what is due now, on the data that was checked last."""
        self.plan = plan_on_checked_data(self.work.engine, self.spec, self.work.observed)
        self.work.desired = self.plan.desired

    def is_due(self, kind: Kind) -> bool:
        """Return whether the loop may and has to change one kind of resource now."""
        return any(change.resource.startswith(f"{kind}.") for change in self.plan.pending_changes)


def _check(run: PassWork) -> None:
    """Check new data against its contract, and data that was read before against its age."""
    record_data_presence(run.work, run.plan)
    if run.is_due("data"):
        _apply_kind(run, "data")
    elif is_age_due(run.work, run.plan):
        carry_out(run.work, "data", "its age is checked", check_age)


def is_age_due(work: ForecastWork, plan: PassPlan) -> bool:
    """Return whether data that is up to date has to be checked for its age."""
    known = plan.missing is None and not plan.blocked and plan.change_of("data").action == "none"
    return known and is_age_unchecked(work)


def _evaluate(run: PassWork) -> None:
    if has_news(run.work, run.work.observed):
        publish_actuals(run.work)
    run.result.alert_changes += evaluate_if_new(run.work)


def _move_traffic(run: PassWork) -> None:
    move_traffic(run.work, run.result)


def _backtest(run: PassWork) -> None:
    """Backtest the version that is due, and store the result."""
    if run.is_due("model"):
        count_training(run)
        _measure(run, _test_candidates)
        _note_training(run)


def _gate(run: PassWork) -> None:
    """Judge the version that is due. A rejection is recorded here; a version that passes is recorded by `register`."""
    if run.is_due("model"):
        count_training(run)
        verdicts = _measure(run, _test_candidates).verdicts
        _note_training(run)
        if not all_rules_pass(verdicts):
            _register(run)


def _train(run: PassWork) -> None:
    """Train the champion of the backtest, and store its file."""
    if run.is_due("model"):
        count_training(run)
        tested = _measure(run, _test_candidates)
        if all_rules_pass(tested.verdicts):
            _measure(run, lambda work: train_champion(work, tested))
        _note_training(run)


def _register(run: PassWork) -> None:
    """Backtest, judge and train the version that is due, each if its result is not stored yet, and record it."""
    if not run.is_due("model"):
        return
    count_training(run)
    try:
        _apply_kind(run, "model")
    except GateClosed as closed:
        run.result.kept_out = True
        run.result.actions.append(closed.message)
    except WorkUnderWay:
        _note_training(run)
        raise


def _roll_out(run: PassWork) -> None:
    _apply_kind(run, "deployment")


def _forecast(run: PassWork) -> None:
    _apply_kind(run, "forecast")


def _finish(run: PassWork) -> None:
    """Evaluate what this pass made, record which schedules are handled and what was seen and not done, and prune the record.

    Before that, the data of the newest forecast goes to the containers that bring theirs along. The step that makes the forecast
    may not deploy.
    """
    if not run.plan.blocked:
        _evaluate(run)
        run.plan_rest()
    _bring_forecast_data(run)
    work, result = run.work, run.result
    result.waits += [reason for reason in pass_waits(work, run.plan) if reason not in result.waits]
    result.reported = reported_lines(work, run.plan)
    end_pass(work, run.plan, result.reported, result.under_way)
    prune_after_pass(work)


def _bring_forecast_data(run: PassWork) -> None:
    """Deploy what serves with the data of the newest forecast, unless other long work of this forecast runs."""
    change = run.plan.change_of("deployment")
    if run.is_due("deployment") and is_only_outdated(change, run.work.observed) and not run.result.under_way:
        carry_out(run.work, "deployment", change.reason, deploy_forecast_data)
        run.result.actions.append(f"{change.resource} serves with the data of the newest forecast: {change.reason}")
        run.plan_rest()


PHASES: dict[PassStepName, Callable[[PassWork], None]] = {
    "check": _check,
    "evaluate": _evaluate,
    "move-traffic": _move_traffic,
    "backtest": _backtest,
    "gate": _gate,
    "train": _train,
    "register": _register,
    "roll-out": _roll_out,
    "forecast": _forecast,
    "finish": _finish,
}


def apply_missing_before(run: PassWork, kind: Kind) -> None:
    """Carry out what has to be there before a kind of resource can be changed, and does not exist yet: its first data, say."""
    for before in KINDS[: KINDS.index(kind)]:
        if before not in run.work.observed.resources:
            (_register if before == "model" else _apply_of(before))(run)
            run.plan_rest()


def _apply_of(kind: Kind) -> Callable[[PassWork], None]:
    return lambda run: _apply_kind(run, kind)


def _apply_kind(run: PassWork, kind: Kind) -> None:
    """Carry out one resource's change, if the loop may carry it out, and note what was done."""
    change = run.plan.change_of(kind)
    if run.is_due(kind) and not is_only_outdated(change, run.work.observed):
        perform_effect(run.work, kind, EFFECTS[kind])
        run.result.actions.append(done_sentence(change, run.work.observed))


def _test_candidates(work: ForecastWork) -> BacktestVerdict:
    return run_backtest(work, serving_candidate(work))


def _measure(run: PassWork, measure: Callable[[ForecastWork], Outcome]) -> Outcome:
    """Run a part of the model's effect, of which only the result is stored. A failure is recorded as the effect's."""
    try:
        return carry_out(run.work, "model", run.plan.change_of("model").reason, measure)
    except WorkUnderWay:
        _note_training(run)
        raise


def count_training(run: PassWork) -> None:
    """Record that the loop starts a training by itself, before it starts: a killed run counts against the budget too."""
    plan, work = run.plan, run.work
    if plan.counted or plan.training is None or not plan.training.by_itself:
        return
    observed, at = work.observed, work.engine.clock()
    ledger = observed.ledger
    started = (*recent_trainings(ledger.trainings, at), at)
    asked = tuple(trained_note(alert.incident) for alert in alerts_asking_training(work.desired.spec, observed))
    work.record_settlement(
        Settlement(work.name, ledger=replace(ledger, trainings=started, acted=(*ledger.acted, *asked)))
    )


def _note_training(run: PassWork) -> None:
    """Record that a training was counted and has begun, so that the next task of a DAG, or the next pass, goes on with it."""
    work, training = run.work, run.plan.training
    if training and training.by_itself and not run.plan.counted:
        begun = version_name(work.engine, replace(work.desired, waiting={}))
        work.record_settlement(Settlement(work.name, ledger=replace(work.observed.ledger, training=begun)))
        run.plan_rest()


def pass_waits(work: ForecastWork, plan: PassPlan) -> list[str]:
    """Return why desired work is not done, and why the version that serves stays although an alert fires."""
    decision = rollback_decision(work, plan.observed)
    stays = [decision.why] if isinstance(decision, rollback.Stay) and decision.why else []
    return [*waiting_reasons(plan), *stays]


def reported_lines(work: ForecastWork, plan: PassPlan) -> list[str]:
    """Return what is only reported: changes, and a move of traffic."""
    lines = [f"{change.resource}: {change.reason}" for change in plan.reported_changes]
    if resource_mode(work.desired.spec, "deployment") != "observe":
        return lines
    move = move_due(work, plan.observed)
    return [*lines, f"deployment.{work.name}: {_MOVES[type(move)]}: {move.why}"] if move else lines
