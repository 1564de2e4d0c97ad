"""An alert is answered at once, by the loop's own decision on the record, where nothing has to be measured for it any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.engine import manual_operations
from mlspec.engine.alert_handler import handle_alert
from mlspec.engine.effects import ForecastWork
from mlspec.engine.evaluation import evaluate_forecasts
from mlspec.engine.pass_result import PassResult
from mlspec.engine.steps import run_on_target
from mlspec.errors import LockHeld
from mlspec.plan.moments import format_moment
from tests.engine.deploying import DeployingTarget
from tests.engine.test_request_counts import ERRORS, count
from tests.engine.world import ACCURACY, World, on_its_way, with_two_versions


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def dag(world: World) -> None:
    """The last task of a DAG: it judges what was forecast, and weighs what would follow."""
    run_on_target(world.engine(), world.spec, "evaluate", format_moment(world.now))
    world.steps.asked.clear()


def answered(world: World) -> PassResult:
    """Answer an alert, where no step can be run."""
    return handle_alert(world.target, "demand", lambda: format_moment(world.now))


def test_what_a_run_measured_is_acted_on_at_once_and_the_next_pass_makes_the_forecast(world: World) -> None:
    first, second = with_two_versions(world)
    world.bad(second)
    dag(world)
    assert world.traffic == {second: 100}  # a run measures, and moves nothing
    found = answered(world)
    assert (found.status, world.traffic) == ("done", {first: 100})
    assert found.actions[0].startswith(f"rolled back: {second} was replaced by {first}")
    assert world.steps.asked == []
    assert world.ledger.quarantined_versions == {second}
    world.look()
    assert "RolledBack" in world.events()
    assert world.observed.find_fact("forecast", "cutoff")
    assert world.target.load_runs("demand")[0].version == first
    assert world.look().status == "nothing"


def test_the_answer_ends_where_a_pass_ends(world: World, tmp_path: Path) -> None:
    other = World(tmp_path / "other")
    for each in (world, other):
        _, second = with_two_versions(each)
        each.bad(second)
        dag(each)
    answered(world)
    for each in (world, other):
        each.look()
    assert world.ledger == other.ledger
    assert world.observed.resources == other.observed.resources
    releases = [[(each.release, each.version) for each in w.target.load_releases("demand")] for w in (world, other)]
    assert releases[0] == releases[1]


def test_an_alert_that_comes_again_late_or_for_nothing_moves_nothing(world: World) -> None:
    _, second = with_two_versions(world)
    answered(world)
    assert world.traffic == {second: 100}
    world.bad(second)
    dag(world)
    answered(world)
    before = world.state()
    for _ in range(3):
        assert answered(world).actions == []
    assert world.state() == before


def test_what_nobody_has_measured_yet_is_left_to_the_next_pass(world: World) -> None:
    first, second = with_two_versions(world)
    world.bad(second)
    world.steps.asked.clear()
    before = world.state()
    found = answered(world)
    assert found.waits == ["evaluate has to be run for this decision: the next pass runs it"]
    assert world.state() == before
    assert world.steps.asked == []
    world.look()
    assert world.traffic == {first: 100}


def test_an_answer_weighs_by_what_was_filed_alone(world: World) -> None:
    _, second = with_two_versions(world)
    world.bad(second)
    engine = world.engine()
    evaluate_forecasts(
        ForecastWork(engine, engine.desired_forecast(world.spec), world.observed)
    )  # judged, and not weighed
    before = world.state()
    assert answered(world).waits == ["forecast has to be run for this decision: the next pass runs it"]
    assert (world.state(), world.traffic) == (before, {second: 100})


def test_a_version_that_would_have_done_no_better_is_not_gone_back_to(world: World) -> None:
    _, second = with_two_versions(world)
    world.steps.well.clear()
    world.steps.otherwise = 0.5
    world.bad(second)
    dag(world)
    assert answered(world).actions == []
    assert world.traffic == {second: 100}
    assert "RollbackWouldNotHelp" in world.events()


def test_a_canary_that_turned_out_badly_gives_its_traffic_back(world: World) -> None:
    first, second = on_its_way(world)
    world.bad(second)
    dag(world)
    found = answered(world)
    assert found.actions == [f"the rollout of {second} was aborted: {found.actions[0].partition(': ')[2]}"]
    assert world.traffic == {first: 100}
    assert world.steps.asked == []


def test_a_rollout_takes_no_step_on_a_message_s_word(world: World) -> None:
    first, second = on_its_way(world)
    world.well(second)
    dag(world)
    found = answered(world)
    assert found.actions == []
    assert found.waits[0].startswith("the rollout continues at the next pass")
    assert world.traffic == {first: 90, second: 10}


def failing(world: World) -> tuple[str, str]:
    """A world where a second version took over, and an alert watches what its server answers."""
    world.write(alerts=[ERRORS, ACCURACY], rollback={"on": ["errors"]})
    world.look()
    first = world.serves
    count(world, 100, 0)
    world.look()
    world.write(alerts=[ERRORS, ACCURACY], rollback={"on": ["errors"]}, model={"seed": 1})
    world.look()
    world.steps.asked.clear()
    return first, world.serves


def nothing(_world: World) -> None:
    """It was evaluated a moment ago."""


def next_day(world: World) -> None:
    """Nothing was evaluated today."""
    world.pass_time(days=1)


def newer_forecast(world: World) -> None:
    """A pass evaluated, and made another forecast after that."""
    world.new_data()
    world.look()


@pytest.mark.parametrize("since", [nothing, next_day, newer_forecast])
def test_a_server_that_fails_is_relieved_whatever_was_evaluated_last(
    world: World, since: Callable[[World], None]
) -> None:
    first, second = failing(world)
    since(world)
    count(world, 100, 40, second)
    world.steps.asked.clear()
    before = world.ledger
    found = answered(world)
    assert (found.status, world.traffic) == ("done", {first: 100})
    assert any(line.startswith("alert errors is firing") for line in found.alert_changes)
    assert world.steps.asked == []
    assert world.ledger.find_alert("accuracy") == before.find_alert("accuracy")
    assert world.ledger.metrics == before.metrics
    world.look()  # all the rest is judged, and the forecast is made anew
    assert world.target.load_runs("demand")[0].version == first
    assert world.look().status == "nothing"


def test_a_server_that_fails_is_relieved_though_demand_moved_too(world: World) -> None:
    both = {"rollback": {"on": ["accuracy", "errors"]}, "alerts": [ACCURACY, ERRORS]}
    world.write(**both)
    world.look()
    first = world.serves
    world.write(**both, model={"seed": 1})
    world.look()
    second = world.serves
    world.steps.otherwise = 0.5  # whatever had served would have done no better
    world.bad(second)
    world.look()
    assert (world.traffic, "RollbackWouldNotHelp" in world.events()) == ({second: 100}, True)
    count(world, 100, 40, second)
    world.steps.asked.clear()
    assert answered(world).actions[0].startswith(f"rolled back: {second} was replaced by {first} (release 1): errors")
    assert (world.traffic, world.steps.asked) == ({first: 100}, [])


def test_a_server_that_is_well_needs_no_pass_of_its_own(world: World) -> None:
    _, second = failing(world)
    next_day(world)
    count(world, 100, 0, second)
    before = world.state()
    assert answered(world).waits == ["evaluate has to be run for this decision: the next pass runs it"]
    assert world.state() == before


@pytest.mark.parametrize("reconcile", [
    {"mode": "pause", "resources": {}}, {"mode": "observe", "resources": {}},
    {"mode": "enforce", "resources": {"deployment": "pause"}}, {"mode": "enforce", "resources": {"deployment": "observe"}},
], ids=str)  # fmt: skip
def test_a_forecast_that_people_keep_to_themselves_is_left_alone(world: World, reconcile: dict[str, object]) -> None:
    _, second = with_two_versions(world)
    world.bad(second)
    dag(world)
    world.write(model={"seed": 1}, reconcile=reconcile)
    world.look()
    before = world.state()
    assert answered(world).actions == []
    assert world.state() == before
    assert world.look().status in ("nothing", "paused", "waiting")
    assert world.state() == before


def test_a_spec_whose_version_was_kept_out_is_what_the_loop_goes_by_and_the_answer_leaves_it_to_that(
    world: World,
) -> None:
    _, second = with_two_versions(world)
    world.bad(second)
    dag(world)
    world.write(model={"seed": 2, "gate": [{"metric": "wape", "below": 0.001}]}, rollback={"on": []})
    assert world.look().kept_out
    before = world.state()
    assert answered(world).waits == ["the spec has changed since the newest release: the next pass decides"]
    assert (world.state(), world.traffic) == (before, {second: 100})


def test_what_another_image_measured_is_found(world: World) -> None:
    first, second = with_two_versions(world)
    world.bad(second)
    newer = replace(world.engine("0.2.0"), libraries={"numpy": "3"})
    run_on_target(newer, world.spec, "evaluate", format_moment(world.now))
    assert answered(world).status == "done"
    assert world.traffic == {first: 100}


def test_a_version_that_is_deployed_first_takes_over_within_the_answer(world: World) -> None:
    first, second = with_two_versions(world)
    world.bad(second)
    dag(world)
    target = DeployingTarget(world.root / ".mlspec")
    found = handle_alert(target, "demand", lambda: format_moment(world.now))
    assert found.error is None
    assert (world.traffic, target.started) == ({first: 100}, [first])
    assert world.ledger.under_way == ()


def test_a_deployment_that_fails_is_not_tried_again_by_the_answer(world: World) -> None:
    first, second = with_two_versions(world)
    world.bad(second)
    dag(world)
    target = DeployingTarget(world.root / ".mlspec", fails=True)
    for _message in range(2):  # a message may come twice
        found = handle_alert(target, "demand", lambda: format_moment(world.now))
        assert found.error
        assert "the container did not start" in found.error.message
    assert (world.traffic, target.started) == ({second: 100}, [first])
    (failed,) = world.ledger.under_way
    assert (failed.step, failed.mark) == ("move-traffic", first)
    failing = world.look_at(target)  # the pass finds the failure too, and plans the retry
    assert failing.error
    assert world.ledger.failure
    assert world.ledger.under_way == ()
    target.fails = False
    world.pass_time(minutes=1)
    world.look_at(target)
    assert target.started == [first, first]


def test_a_release_that_a_person_holds_stays(world: World) -> None:
    first, _ = with_two_versions(world)
    manual_operations.roll_back(world.engine(), world.spec, None, "Ada", "looks odd")
    world.bad(first)
    dag(world)
    found = answered(world)
    assert found.actions == []
    assert found.waits == ["accuracy fires, and the release is held until a person decides"]
    assert world.traffic == {first: 100}


def test_nothing_is_done_where_nothing_serves_or_somebody_is_at_work(world: World) -> None:
    assert answered(world).waits == ["nothing serves"]
    assert not world.target.forecast_names()
    _, second = with_two_versions(world)
    world.bad(second)
    dag(world)
    with world.target.lock_forecast("demand", "apply", format_moment(world.now), 0.0):
        found = answered(world)
    assert isinstance(found.error, LockHeld)
    assert found.status == "waiting"


def test_a_run_weighs_nothing_where_nothing_fires(world: World) -> None:
    with_two_versions(world)
    world.steps.asked.clear()
    run_on_target(world.engine(), world.spec, "evaluate", format_moment(world.now))
    assert "forecast" not in world.steps.asked
