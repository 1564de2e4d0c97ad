"""Long work that runs elsewhere: no pass waits for it, none starts it twice, and one that never ends delays no other forecast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from mlspec.engine.apply import apply_specs
from mlspec.engine.loop import follow_work, pass_exit_code, reconcile_specs
from mlspec.engine.manual_operations import resume_forecast, roll_back
from mlspec.engine.pass_result import PassResult
from mlspec.engine.status import find_status
from mlspec.engine.steps import run_on_target
from mlspec.errors import (
    Exit,
    LockHeld,
    MlspecError,
    ModelError,
    Refused,
    StoppedPartWay,
    Superseded,
    TargetError,
    TargetUnreachable,
    WorkUnderWay,
)
from mlspec.state.ledger import StartedWork
from mlspec.state.pass_steps import PassStepName
from mlspec.state.step import RemoteStep, StepRequest, StepResult
from mlspec.targets.local.target import LocalTarget
from tests.engine.deploying import DeployingTarget
from tests.engine.steps import Spec, Steps, spec
from tests.engine.world import World
from tests.examples import sales

AT_ONCE = {"serve": "batch", "rollout": {"strategy": "all-at-once", "steps": [], "interval": "1h"}}
LIMIT = 3600.0
_MANY = 50  # waits: far more than the steps of a pass


@dataclass
class Elsewhere:
    """Where steps run until the test ends them; `stuck` names forecasts of which nothing ever ends."""

    steps: Steps
    stuck: frozenset[str] = frozenset()
    started: list[str] = field(default_factory=list)
    running: dict[str, str] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    cancelled: list[str] = field(default_factory=list)

    def run(self, step: RemoteStep) -> StepResult:
        """Return a step's result if it has ended; else raise that it runs, from now on if it did not."""
        mark = f"{step.forecast} {step.key}"  # the same data and spec give the same key
        name = self.running.get(mark)
        if name in self.over:
            return self.steps(
                StepRequest(step.step, step.spec, Path(), step.out, {}, step.options), lambda *_words: None
            )
        if name is None:
            self.started.append(f"{step.forecast} {step.step}")
            name = self.running[mark] = f"{step.forecast} {step.step} {len(self.started)}"
        raise WorkUnderWay(kind="execution", name=name, mark=mark, what=step.step, limit=LIMIT)

    def end_all(self) -> None:
        """Let everything end that is not stuck."""
        self.over |= {name for name in self.running.values() if name.partition(" ")[0] not in self.stuck}


class FarTarget(LocalTarget):
    """A local record, for work that runs elsewhere."""

    elsewhere: Elsewhere
    locks_while_waiting: list[str]
    waits: int = 0

    def is_work_over(self, started: StartedWork) -> bool:
        return started.name in self.elsewhere.over

    def wait_for_work(self, started: Sequence[StartedWork], seconds: float) -> tuple[StartedWork, ...]:
        self.waits += 1
        assert self.waits < _MANY, "it waits again and again for what has ended"
        for name in sorted({each.name.partition(" ")[0] for each in started}):
            with self.lock_forecast(name, "look", "now", 0.0):
                self.locks_while_waiting.append(name)
        self.elsewhere.end_all()
        return tuple(each for each in started if self.is_work_over(each))

    def cancel_work(self, started: StartedWork) -> None:
        self.elsewhere.cancelled.append(started.name)
        self.elsewhere.running.pop(started.mark)


class Far(World):
    """A world whose steps run elsewhere."""

    def __init__(self, folder: Path, **parts: Any) -> None:
        super().__init__(folder, deployment=AT_ONCE, **parts)
        self.elsewhere = Elsewhere(self.steps)
        self.locked: list[str] = []

    def engine(self, code: str = "0.1.0") -> Any:
        target = FarTarget(self.root / ".mlspec")
        target.elsewhere, target.locks_while_waiting = self.elsewhere, self.locked
        return replace(super().engine(code), target=target, run_remote_step=self.elsewhere.run)

    def passes(self, *others: Spec, most: int = 12) -> int:
        """Make passes, and let work end between them, until nothing runs that can end; return how many it took."""
        for number in range(1, most + 1):
            results = reconcile_specs(self.engine(), [self.spec, *others])
            if not any(result.under_way for result in results if result.forecast not in self.elsewhere.stuck):
                return number
            self.elsewhere.end_all()
        raise AssertionError("this never ended")


@pytest.fixture
def far(tmp_path: Path) -> Far:
    return Far(tmp_path)


def test_a_pass_starts_what_is_due_says_what_it_waits_for_and_ends(far: Far) -> None:
    found = far.look()
    assert far.elsewhere.started == ["demand check"]
    assert found.status == "waiting"
    assert found.waits == [
        "waiting for check since 2024-03-01T00:00:00Z, until 2024-03-01T01:00:00Z at the latest: demand check 1"
    ]
    status = find_status(far.target, "demand", far.now)
    assert (status.ready, status.why) == (False, found.waits[0])
    assert [each.type for each in status.conditions] == ["Progressing"]


def test_while_work_runs_another_pass_writes_nothing_and_says_the_same(far: Far) -> None:
    found, before = far.look(), far.state()
    again = far.look()
    assert (again.waits, again.under_way) == (found.waits, found.under_way)
    assert far.state() == before


def test_later_passes_go_on_from_step_to_step_and_start_none_twice(far: Far) -> None:
    far.passes()
    steps = ["check", "backtest", "train", "forecast", "inventory", "evaluate"]
    assert far.elsewhere.started == [f"demand {step}" for step in steps]
    assert far.serves
    assert far.ledger.under_way == ()
    assert find_status(far.target, "demand", far.now).ready


def test_work_whose_record_was_lost_is_found_and_not_started_again(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the loop had been killed after the start of each step, and before it could record it."""
    with monkeypatch.context() as killed:
        killed.setattr("mlspec.engine.under_way.record_started", _killed)
        with pytest.raises(StoppedPartWay):
            far.look()
    assert far.ledger.under_way == ()
    assert [each.name for each in far.look().under_way] == ["demand check 1"]
    assert far.elsewhere.started == ["demand check"]


def _killed(*_words: object) -> StartedWork:
    raise KeyboardInterrupt


def test_a_forecast_whose_work_never_ends_delays_no_other(far: Far) -> None:
    other = spec("other", deployment=AT_ONCE)
    alone = far.passes()
    far.elsewhere.stuck = frozenset({"third"})
    third = spec("third", deployment=AT_ONCE)
    far.spec = other
    assert far.passes(third) == alone - 1  # it has no alerts, so nothing is evaluated
    assert far.target.load_runs("other")
    assert far.elsewhere.started[-1] != "third check"
    assert far.elsewhere.started.count("third check") == 1


def test_work_that_is_overdue_is_cancelled_told_and_started_again_after_a_pause(far: Far) -> None:
    far.look()
    far.pass_time(seconds=LIMIT + 1)
    found = far.look()
    assert far.elsewhere.cancelled == ["demand check 1"]
    assert found.error
    assert "check was cancelled: it ran as demand check 1 since 2024-03-01T00:00:00Z" in found.error.message
    assert far.ledger.under_way == ()
    assert "StepFailed" in far.events()
    far.look()
    assert far.elsewhere.started == ["demand check"]  # its retry is not due
    far.pass_time(minutes=5)
    far.look()
    assert far.elsewhere.started == ["demand check", "demand check"]


def test_data_that_comes_in_while_a_training_runs_is_for_the_pass_after_it(far: Far) -> None:
    far.look()
    far.elsewhere.end_all()
    far.look()
    assert far.elsewhere.started[-1] == "demand backtest"
    far.new_data()
    far.look()
    assert far.elsewhere.started[-1] == "demand backtest"
    far.passes()
    assert far.elsewhere.started.count("demand backtest") == far.elsewhere.started.count("demand train") == 1
    far.passes()
    assert far.elsewhere.started.count("demand check") == 2


def test_a_training_that_takes_several_passes_counts_once_against_the_budget(far: Far) -> None:
    far.passes()
    far.write(deployment=AT_ONCE, alerts=[], schedule={"forecast": None, "retrain": "0 4 * * *", "timezone": "UTC"})
    far.passes()
    far.pass_time(days=1)
    far.new_data()
    far.passes()
    assert far.elsewhere.started.count("demand train") == 2
    assert len(far.ledger.trainings) == 1


def trains(far: Far, **checks: object) -> None:
    """Let a training run that spends the budget of a week, shortly before midnight: the day after brings an evaluation."""
    far.passes()
    nightly = {"forecast": None, "retrain": "0 4 * * *", "timezone": "UTC"}
    far.write(deployment=AT_ONCE, dataset={"checks": checks}, schedule=nightly, budget={"trainings_per_week": 1})
    far.passes()
    far.pass_time(days=1, hours=23, minutes=30)
    far.new_data()
    while far.elsewhere.started[-1] != "demand backtest":
        far.elsewhere.end_all()
        far.look()
    far.pass_time(minutes=40)
    assert far.elsewhere.started.count("demand backtest") == 2


def refuse(far: Far, monkeypatch: pytest.MonkeyPatch, refused: str, error: MlspecError) -> None:
    """Let one step fail where it runs."""
    run = far.elsewhere.run

    def fail(step: RemoteStep) -> StepResult:
        if step.step == refused:
            raise error
        return run(step)

    monkeypatch.setattr(far.elsewhere, "run", fail)


AWAY = TargetUnreachable("the service answers 503")


def test_a_training_outlives_a_step_that_fails_beside_it_and_counts_once(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    trains(far)
    with monkeypatch.context() as failing:
        refuse(far, failing, "evaluate", AWAY)
        found = far.look()
    assert found.error is AWAY
    assert [each.what for each in found.under_way] == ["backtest"]
    assert [each.what for each in far.ledger.under_way] == ["backtest"]
    for left in (["evaluate", "backtest"], ["backtest"], ["backtest"]):  # the retry of the rest is not due yet
        far.elsewhere.end_all()
        assert not far.look().error
        assert [each.what for each in far.ledger.under_way] == left
        assert far.ledger.training
    far.pass_time(minutes=1)
    far.passes()
    assert far.elsewhere.started.count("demand backtest") == far.elsewhere.started.count("demand train") == 2
    assert len(far.ledger.trainings) == 1
    assert (far.ledger.under_way, far.ledger.training) == ((), "")


@pytest.mark.parametrize("error", [AWAY, ModelError("there is too little history")])
def test_a_training_outlives_a_check_that_fails_beside_it(
    far: Far, monkeypatch: pytest.MonkeyPatch, error: MlspecError
) -> None:
    trains(far, freshness={"max_age": "400d"})  # the data's age is checked each day
    with monkeypatch.context() as failing:
        refuse(far, failing, "check", error)
        found = far.look()
    assert found.error is error
    assert [each.what for each in found.under_way] == ["evaluate", "backtest"]
    assert {each.what for each in far.ledger.under_way} == {"evaluate", "backtest"}
    assert far.ledger.training


def test_work_that_a_failure_keeps_unused_is_cancelled_at_its_deadline(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    trains(far)
    with monkeypatch.context() as failing:
        refuse(far, failing, "evaluate", ModelError("there is too little history"))
        far.look()
        assert [each.what for each in far.ledger.under_way] == ["backtest"]
        (backtest,) = far.ledger.under_way
        far.pass_time(minutes=21)
        far.look()
    assert far.elsewhere.cancelled == [backtest.name]
    assert far.ledger.under_way == ()


def test_a_failure_that_waits_for_other_data_looks_for_it_while_a_training_runs(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    trains(far)
    with monkeypatch.context() as failing:
        refuse(far, failing, "evaluate", ModelError("there is too little history"))
        far.look()
    far.new_data()
    far.look()
    assert far.elsewhere.started[-2:] == ["demand check", "demand evaluate"]


def test_the_passes_that_follow_go_on_with_what_the_first_one_started(far: Far) -> None:
    passed: list[PassResult] = [far.look()]
    passed += [result for (result,) in follow_work(far.engine(), [far.spec], passed, 60)]
    assert passed[-1].under_way == ()
    assert far.target.load_runs("demand")


@pytest.mark.parametrize("error", [LockHeld, Superseded])
def test_a_forecast_that_another_run_works_on_is_followed_no_further(
    far: Far, monkeypatch: pytest.MonkeyPatch, error: type[LockHeld]
) -> None:
    engine, passed = far.engine(), [far.look()]

    @contextmanager
    def refuse(_name: str, what: str, *_words: object) -> Iterator[None]:
        if what == "reconcile":
            raise error("another run works on it")
        yield

    monkeypatch.setattr(engine.target, "lock_forecast", refuse)
    followed = list(follow_work(engine, [far.spec], passed, 60))
    assert [type(result.error) for (result,) in followed] == [error]
    assert engine.target.waits == 1
    failed = replace(passed[0], error=error("another run works on it"))
    assert not list(follow_work(engine, [far.spec], [failed], 60))


def test_work_that_ended_and_that_a_pass_cannot_use_yet_makes_one_pass(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a service said in one call that a step has ended, and in another that it runs."""
    passed = [far.look()]
    monkeypatch.setattr(far.elsewhere, "run", _still_running(far))
    engine = far.engine()
    assert len(list(follow_work(engine, [far.spec], passed, 60))) == 1
    assert [each.name for each in far.ledger.under_way] == ["demand check 1"]


def _still_running(far: Far) -> Callable[[RemoteStep], StepResult]:
    def run(step: RemoteStep) -> StepResult:
        mark = f"{step.forecast} {step.key}"
        raise WorkUnderWay(kind="execution", name=far.elsewhere.running[mark], mark=mark, what=step.step, limit=LIMIT)

    return run


def test_a_run_that_leaves_everything_to_another_image_did_not_fail(far: Far) -> None:
    left = PassResult("demand", error=Superseded("another image was handed over to the loop"))
    assert pass_exit_code([left]) == Exit.DONE
    assert pass_exit_code([left, PassResult("other", error=LockHeld("apply by ann"))]) == Exit.LOCKED


def test_apply_waits_without_the_lock_and_ends_with_everything_done(far: Far) -> None:
    (outcome,) = apply_specs(far.engine(), [far.spec])
    assert (outcome.status, outcome.error) == ("applied", None)
    assert outcome.release
    assert outcome.run
    assert far.locked == ["demand"] * 5  # check, backtest, train, forecast, inventory
    assert far.ledger.under_way == ()


def serve_three_versions(far: Far) -> list[str]:
    """Let three versions take over, one after the other, and return them."""
    served = []
    for seed in (1, 2, 3):
        far.write(deployment=AT_ONCE, model={"seed": seed})
        far.passes()
        served.append(far.serves)
    return served


@pytest.mark.parametrize("asked", [None, 2])
def test_a_rollback_that_waits_for_its_forecast_goes_back_once(far: Far, asked: int | None) -> None:
    _first, second, third = serve_three_versions(far)
    sentence = roll_back(far.engine(), far.spec, asked, "ann", "looks odd")
    assert sentence.startswith(f"{third} was replaced by {second} (release 2)")
    assert far.serves == second
    assert far.ledger.quarantined_versions == {third}
    assert far.ledger.hold
    assert far.target.load_runs("demand")[0].version == second
    assert far.ledger.under_way == ()
    assert not [each for each in find_status(far.target, "demand", far.now).conditions if each.type == "Progressing"]


def test_a_rollback_waits_for_a_deployment_and_then_for_the_forecast(far: Far) -> None:
    first, second, third = serve_three_versions(far)
    target = DeployingTarget(far.root / ".mlspec")
    engine = replace(far.engine(), target=target, run_remote_step=None)
    roll_back(engine, far.spec, None, "ann", "looks odd")
    assert (far.serves, target.started) == (second, [second])
    assert far.ledger.quarantined_versions == {third}
    assert far.ledger.under_way == ()
    assert first not in target.deployed


def test_a_rollback_whose_deployment_failed_can_be_asked_for_again(far: Far) -> None:
    _first, second, third = serve_three_versions(far)
    target = DeployingTarget(far.root / ".mlspec", fails=True)
    engine = replace(far.engine(), target=target, run_remote_step=None)
    with pytest.raises(TargetError, match="the container did not start"):
        roll_back(engine, far.spec, None, "ann", "looks odd")
    assert (far.serves, far.ledger.quarantined, far.ledger.under_way) == (third, (), ())
    target.fails = False
    roll_back(engine, far.spec, None, "ann", "looks odd")
    assert (far.serves, target.started) == (second, [second, second])


def test_a_rollback_takes_back_nothing_that_took_over_while_it_waited(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = serve_three_versions(far)
    target = DeployingTarget(far.root / ".mlspec")
    engine = replace(far.engine(), target=target, run_remote_step=None)
    wait = target.wait_for_work

    def wait_while_another_goes_back(started: Sequence[StartedWork], seconds: float) -> tuple[StartedWork, ...]:
        monkeypatch.setattr(target, "wait_for_work", wait)
        roll_back(far.engine(), far.spec, 1, "bob", "looks odd")
        return wait(started, seconds)

    monkeypatch.setattr(target, "wait_for_work", wait_while_another_goes_back)
    with pytest.raises(Refused, match=f"{first} took over from {third}"):
        roll_back(engine, far.spec, None, "ann", "looks odd")
    assert far.serves == first
    assert far.ledger.quarantined_versions == {third}
    assert second not in far.ledger.quarantined_versions


def test_a_rollback_that_was_resumed_meanwhile_makes_no_forecast(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    _first, second, _third = serve_three_versions(far)
    engine, wait = far.engine(), FarTarget.wait_for_work

    def wait_and_resume(target: FarTarget, started: Sequence[StartedWork], seconds: float) -> tuple[StartedWork, ...]:
        resume_forecast(far.engine(), "demand", "bob")
        return wait(target, started, seconds)

    monkeypatch.setattr(FarTarget, "wait_for_work", wait_and_resume)
    roll_back(engine, far.spec, None, "ann", "looks odd")
    assert (far.serves, far.ledger.hold, far.ledger.under_way) == (second, None, ())
    assert far.target.load_runs("demand")[0].version != second  # the loop decides what is made now


def test_apply_runs_the_long_work_of_all_specs_at_the_same_time(far: Far) -> None:
    outcomes = apply_specs(far.engine(), [far.spec, spec("other", deployment=AT_ONCE)])
    assert [outcome.status for outcome in outcomes] == ["applied", "applied"]
    assert far.elsewhere.started[:4] == ["demand check", "other check", "demand backtest", "other backtest"]


def test_a_step_of_a_dag_waits_for_its_work_without_the_lock(far: Far) -> None:
    facts = run_on_target(far.engine(), far.spec, "check")
    assert facts["well"]
    assert far.locked == ["demand"]
    assert facts["rows"] == 84


def stop_while_waiting(far: Far, step: PassStepName) -> None:
    """A task that is stopped, such as by its timeout, while its work runs elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FarTarget, "wait_for_work", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_on_target(far.engine(), far.spec, step)


def test_the_last_task_of_a_dag_keeps_what_still_runs(far: Far) -> None:
    run_on_target(far.engine(), far.spec, "check")
    stop_while_waiting(far, "backtest")
    before = far.ledger
    facts = run_on_target(far.engine(), far.spec, "finish")
    assert [started.name for started in far.ledger.under_way] == ["demand backtest 2"]  # the check has ended
    assert far.ledger.slots == before.slots  # what was due is not done with
    assert not facts["well"]
    assert str(facts["waits"]).startswith("['waiting for backtest since")
    far.elsewhere.end_all()
    far.passes()
    assert far.serves
    assert far.elsewhere.started.count("demand backtest") == 1


def test_the_last_task_of_a_dag_forgets_what_has_ended_and_cancels_what_is_overdue(far: Far) -> None:
    run_on_target(far.engine(), far.spec, "check")
    stop_while_waiting(far, "backtest")
    far.elsewhere.end_all()
    run_on_target(far.engine(), far.spec, "finish")
    assert far.ledger.under_way == ()
    run_on_target(far.engine(), far.spec, "backtest")
    stop_while_waiting(far, "train")
    far.pass_time(hours=2)
    run_on_target(far.engine(), far.spec, "finish")
    assert far.ledger.under_way == ()
    assert far.elsewhere.cancelled == ["demand train 3"]


def test_a_backfill_forgets_its_work_once_it_is_done(far: Far) -> None:
    far.passes()
    far.pass_time(days=3)
    far.new_data()
    far.passes()
    before = len(far.elsewhere.started)
    run_on_target(far.engine(), far.spec, "forecast", "2024-03-02T06:00:00Z")
    assert far.elsewhere.started[before:] == ["demand forecast"]
    assert far.ledger.under_way == ()


def test_data_that_breaks_its_contract_is_told_when_the_check_ends(far: Far) -> None:
    far.steps.data_ok = False
    far.look()
    far.elsewhere.end_all()
    found = far.look()
    assert found.error
    assert "the data breaks its contract" in found.error.message
    assert far.ledger.under_way == ()
    far.steps.data_ok = True
    (far.root / "data/sales.csv").write_text(sales(days=50))
    far.passes()
    assert far.target.load_runs("demand")
