"""A DAG's tasks make one step of a pass each, on the target's record: late, twice or out of order, they end where a pass ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlspec.engine.plan import make_plan
from mlspec.engine.reconcile import reconcile_one
from mlspec.engine.steps import TARGET_STEPS, run_on_target
from mlspec.errors import DataError, LockHeld, ModelError, TargetError, WorkStalled, WorkWaits, may_pass
from mlspec.state.step import Progress, StepRequest, StepResult
from tests.engine.dag_run import play
from tests.engine.steps import Steps, engine, spec
from tests.engine.world import Turned, World, with_two_versions
from tests.examples import project, sales

AT = "2024-03-01T00:00:00Z"
ALERT = {
    "name": "accuracy", "metric": "wape", "above": 0.2, "below": None, "outside": None, "window": 4, "for": None, "by": [],
    "baseline": None, "severity": "critical", "inhibits": [],
}  # fmt: skip
DAILY = {"forecast": None, "retrain": "0 4 * * *", "timezone": "UTC"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


def run(root: Path, *names: str, steps: Steps | None = None, **parts: object) -> list[bool]:
    made = engine(root, steps)
    return [run_on_target(made, spec(**parts), name, AT)["well"] for name in names]  # type: ignore[arg-type]


def newer_data(root: Path) -> None:
    (root / "data" / "sales.csv").write_text(sales(days=43))


def test_the_steps_of_a_run_end_where_a_pass_ends(root: Path, tmp_path: Path) -> None:
    steps = Steps()
    assert all(run(root, *TARGET_STEPS, steps=steps))
    assert steps.asked == ["check", "backtest", "train", "forecast", "inventory"]
    assert make_plan(engine(root), [spec()], None).is_empty
    other = project(tmp_path / "other")
    reconcile_one(engine(other), spec())
    ours, theirs = engine(root).target, engine(other).target
    assert ours.load_versions("demand") == theirs.load_versions("demand")
    assert ours.load_releases("demand") == theirs.load_releases("demand")
    assert ours.load_runs("demand") == theirs.load_runs("demand")


@pytest.mark.parametrize("name", TARGET_STEPS)
def test_a_task_that_runs_again_does_nothing_twice(root: Path, name: str) -> None:
    run(root, *TARGET_STEPS)
    before, steps = engine(root).target, Steps()
    counts = len(before.load_versions("demand")), len(before.load_releases("demand")), len(before.load_runs("demand"))
    run(root, name, steps=steps)
    after = engine(root).target
    assert (
        len(after.load_versions("demand")),
        len(after.load_releases("demand")),
        len(after.load_runs("demand")),
    ) == counts
    assert steps.asked == []


def test_a_step_makes_first_what_it_stands_on_and_is_not_there_yet(root: Path) -> None:
    steps = Steps()
    assert run(root, "roll-out", steps=steps) == [True]
    assert steps.asked == ["check", "backtest", "train"]


def test_measuring_steps_leave_what_serves_alone(root: Path) -> None:
    run(root, "check", "backtest", "gate", "train")
    target = engine(root).target
    assert target.load_versions("demand") == ()
    assert target.load_releases("demand") == ()


@pytest.mark.parametrize("name", ["check", "evaluate", "backtest", "gate", "train", "forecast"])
def test_a_measuring_step_moves_no_traffic_even_where_a_move_is_due(world: World, name: str) -> None:
    first, second = with_two_versions(world)
    world.bad(second)
    run_on_target(world.engine(), world.spec, "evaluate")
    run_on_target(world.engine(), world.spec, name)  # type: ignore[arg-type]
    assert world.traffic == {second: 100}
    run_on_target(world.engine(), world.spec, "move-traffic")
    assert world.traffic == {first: 100}


def test_a_closed_gate_is_no_error_and_is_told_by_its_own_run(root: Path) -> None:
    steps = Steps(wape=0.95)
    assert run(root, "check", "backtest", "gate", steps=steps) == [True, True, False]
    assert "train" not in steps.asked
    (version,) = engine(root).target.load_versions("demand")
    assert version.state == "rejected"
    assert run(root, "gate", "register", steps=steps) == [False, False]  # a task that is tried again says the same
    assert engine(root).target.load_releases("demand") == ()
    assert len(engine(root).target.load_versions("demand")) == 1
    assert run_on_target(engine(root, now="2024-03-02T00:00:00Z"), spec(), "gate", "2024-03-02T00:00:00Z")["well"]


def test_where_the_gate_keeps_a_version_out_the_forecast_is_made_with_what_serves_and_the_run_is_red(
    world: World,
) -> None:
    world.write(schedule={"forecast": "0 6 * * *", "retrain": "0 4 * * *", "timezone": "UTC"})
    assert play(world).is_green
    serves = world.serves
    world.steps.metrics = {**world.steps.metrics, "wape": 0.95}
    world.new_data()
    world.pass_time(days=1)
    ran = play(world)
    assert {task for task, state in ran.states.items() if state == "skipped"} == {"train", "register", "alert"}
    assert (ran.states["kept_out"], ran.states["make_forecast"], ran.is_green) == ("failed", "success", False)
    assert world.serves == serves
    assert len(world.target.load_runs("demand")) == 2
    world.pass_time(days=1)
    assert play(world).is_green  # told once


def test_nothing_is_trained_at_a_run_with_new_data_alone(world: World) -> None:
    play(world)
    world.new_data()
    world.pass_time(days=1)
    assert play(world).is_green
    assert len(world.target.load_versions("demand")) == 1
    assert len(world.target.load_runs("demand")) == 2


@pytest.mark.parametrize("mode", ["pause", "observe"])
def test_a_mode_in_which_the_loop_does_nothing_holds_in_every_step(world: World, mode: str) -> None:
    play(world)
    runs, serves = world.target.load_runs("demand"), world.serves
    world.write(model={"seed": 1}, reconcile={"mode": mode})
    world.new_data()
    world.pass_time(days=1)
    world.steps.asked.clear()
    ran = play(world)
    assert ran.is_green
    assert not {"backtest", "train", "forecast"} & set(world.steps.asked)
    assert (world.target.load_runs("demand"), world.serves) == (runs, serves)
    paused = next(found for found in world.observed.conditions if found.type == "Paused")
    assert paused.status == "True"


def test_the_budget_holds_in_every_step_and_a_training_counts_once(world: World) -> None:
    world.write(schedule=DAILY, budget={"trainings_per_week": 1})
    for _ in range(3):
        play(world)
        world.new_data()
        world.pass_time(days=1)
    assert len(world.ledger.trainings) == 1
    assert len(world.target.load_versions("demand")) == 2  # the first is a person's
    assert world.ledger.training == ""


def test_a_training_that_is_killed_counts_and_is_begun_again_within_the_budget(world: World) -> None:
    world.write(schedule=DAILY, budget={"trainings_per_week": 2})
    play(world)
    world.new_data()
    world.pass_time(days=1)

    class Killed(BaseException):
        pass

    def kill(_request: StepRequest) -> dict[str, object]:
        raise Killed

    for name in ("check", "evaluate", "move-traffic"):
        run_on_target(world.engine(), world.spec, name)  # type: ignore[arg-type]
    backtest, world.steps.backtest = world.steps.backtest, kill  # type: ignore[method-assign]
    with pytest.raises(Killed):
        run_on_target(world.engine(), world.spec, "backtest")
    world.steps.backtest = backtest  # type: ignore[method-assign]
    assert len(world.ledger.trainings) == 1
    play(world)
    assert len(world.ledger.trainings) == 2
    assert len(world.target.load_versions("demand")) == 2


def test_data_that_comes_in_during_a_run_is_for_the_next_one(world: World) -> None:
    play(world)
    world.new_data()
    world.pass_time(days=1)
    seen = world.observed.find_fact("forecast", "cutoff")
    ran = play(world, after=lambda task: world.new_data() if task == "check" else None)
    assert ran.is_green
    assert seen
    recorded = world.observed.resources
    assert recorded["forecast"].resource.fields["data.digest"] == recorded["data"].resource.fields["data.digest"]
    assert len(world.target.load_runs("demand")) == 2
    world.pass_time(days=1)
    play(world)
    assert len(world.target.load_runs("demand")) == 3


def test_data_that_breaks_its_contract_fails_for_good_and_watching_goes_on(world: World) -> None:
    first, second = with_two_versions(world)
    world.steps.data_ok = False
    world.new_data()
    world.bad(second)
    ran = play(world)
    assert ran.codes["check"] == 1
    assert ran.states["evaluate"] == ran.states["move_traffic"] == "success"
    assert ran.states["make_forecast"] == "upstream_failed"
    assert not ran.is_green
    assert world.serves == first
    conditions = {found.type: found for found in world.observed.conditions}
    assert (conditions["DataReady"].status, conditions["DataReady"].reason) == ("False", "DataRefused")
    world.pass_time(days=1)
    with pytest.raises(WorkStalled, match="waits until spec, data or code change: the data breaks its contract"):
        run_on_target(world.engine(), world.spec, "check")


def test_a_pass_whose_data_is_refused_still_judges_what_serves(world: World) -> None:
    first, second = with_two_versions(world)
    world.steps.data_ok = False
    world.new_data()
    world.bad(second)
    found = world.look()
    assert isinstance(found.error, DataError)
    assert world.serves == first


def test_a_step_that_fails_is_recorded_and_a_later_run_goes_on(root: Path) -> None:
    with pytest.raises(ModelError):
        run(root, "forecast", steps=Steps(fails="forecast"))
    with pytest.raises(WorkStalled):
        run(root, "forecast")
    newer_data(root)
    steps = Steps()
    assert run(root, "check", "forecast", steps=steps) == [True, True]
    assert steps.asked == ["check", "forecast", "inventory"]


def test_what_may_pass_is_tried_again_and_not_before_its_time(root: Path) -> None:
    class Unreached(Steps):
        def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
            if request.step == "train":
                raise TargetError("nobody answers")
            return super().__call__(request, progress)

    with pytest.raises(TargetError) as failed:
        run(root, "check", "backtest", "gate", "train", steps=Unreached())
    assert may_pass(failed.value)
    with pytest.raises(WorkWaits, match="is tried again at 2024-03-01T00:00:3"):
        run(root, "train")
    later = engine(root, now="2024-03-01T00:02:00Z")
    assert run_on_target(later, spec(), "train", AT)["well"]


def test_a_broken_threshold_is_evidence_moves_no_traffic_and_is_told_by_the_run_it_began_in(world: World) -> None:
    world.write(rollback={"on": []})
    play(world)
    world.bad(world.serves, 0.31)
    ran = play(world)
    (alert,) = ran.facts["evaluate"]["alerts"]
    assert (ran.codes["evaluate"], ran.states["alert"]) == (3, "success")
    assert (alert["name"], alert["value"], alert["message"]) == ("accuracy", 0.31, "accuracy: wape is 0.31, above 0.2")
    world.pass_time(days=1)
    again = play(world)
    assert (again.codes["evaluate"], again.states["alert"]) == (0, "skipped")


def test_data_that_became_older_than_its_contract_allows_is_refused_by_loop_and_steps(world: World) -> None:
    class Aging(Turned):
        def check(self, request: StepRequest) -> dict[str, Any]:
            self.data_ok = request.options["now"] < "2024-03-05"
            return super().check(request)

    world.steps = Aging()
    world.write(dataset={"checks": {"freshness": {"max_age": "20d"}}}, schedule={**DAILY, "forecast": "0 6 * * 3"})
    play(world)
    world.pass_time(days=1)
    assert play(world).codes["check"] == 0
    assert world.look().status == "nothing"
    world.pass_time(days=5)  # a Thursday
    assert world.look().status == "failed"
    assert not play(world).is_green
    conditions = {found.type: found for found in world.observed.conditions}
    assert conditions["DataReady"].status == "False"
    world.steps = Turned()
    world.new_data()
    assert play(world).is_green
    assert len(world.target.load_runs("demand")) == 2  # Wednesday's run stayed due


def test_a_run_that_holds_the_forecast_is_waited_for_or_named(root: Path) -> None:
    made = engine(root)
    with made.target.lock_forecast("demand", "apply", AT, 0.0), pytest.raises(LockHeld):
        run_on_target(engine(root), spec(), "check", AT)
