"""What fails, is missing or is late: one forecast that fails holds up no other, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.engine import manual_operations
from tests.engine.steps import spec
from tests.engine.world import ACCURACY, World, with_two_versions


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_one_forecast_that_fails_holds_up_no_other(world: World) -> None:
    lost = spec("lost", dataset={"source": {"uri": "data/nothing.csv", "query": None}})
    world.steps.fails = None
    from mlspec.engine.loop import reconcile_specs

    found = reconcile_specs(world.engine(), [lost, world.spec])
    assert [each.status for each in found] == ["failed", "done"]


def test_work_that_fails_for_good_waits_until_an_input_changes(world: World) -> None:
    world.steps.fails = "backtest"
    assert world.look().status == "failed"
    failure = world.ledger.failure
    assert failure is not None
    assert failure.next_at is None
    before = world.state()
    world.pass_time(days=0.2)
    found = world.look()
    assert world.steps.asked == []
    assert "waits until spec, data or code change" in found.waits[0]
    assert world.state() == before
    world.steps.fails = None
    world.new_data()
    assert world.look().status == "done"
    assert world.ledger.failure is None


def test_data_that_is_gone_is_said_once_and_what_serves_is_still_watched(world: World) -> None:
    first, second = with_two_versions(world)
    (world.root / "data/sales.csv").unlink()
    world.look()
    assert world.events().count("DataMissing") == 1
    world.bad(second)
    world.look()
    assert world.events().count("DataMissing") == 1
    assert world.serves == first


def test_data_that_is_refused_leaves_what_serves_and_is_tried_again_when_it_changes(world: World) -> None:
    world.look()
    serves = world.serves
    world.steps.data_ok = False
    world.new_data()
    assert world.look().status == "failed"
    assert world.look().status == "waiting"
    assert world.serves == serves
    world.steps.data_ok = True
    world.new_data()
    world.look()
    (ready,) = [each for each in world.observed.conditions if each.type == "DataReady"]
    assert ready.status == "True"


def test_the_alert_s_own_metric_is_named(world: World) -> None:
    assert ACCURACY["metric"] == "wape"
    world.look()
    world.bad(world.serves, 0.31)
    world.look()
    assert any("wape is 0.31, above 0.2" in event.message for event in world.target.load_events("demand"))


def test_a_held_release_is_moved_by_nothing_not_even_its_own_alert(world: World) -> None:
    first, _second = with_two_versions(world)
    manual_operations.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
    world.bad(first)
    found = world.look()
    assert world.traffic == {first: 100}
    assert "a person decides" in found.waits[0]


def test_a_held_release_stays_when_a_retrain_makes_a_newer_version(world: World) -> None:
    world.write(schedule={"forecast": None, "retrain": "0 4 * * *", "timezone": "UTC"})
    world.look()
    first = world.serves
    world.new_data()
    world.pass_time(days=1)
    world.look()
    assert world.serves != first
    manual_operations.roll_back(world.engine(), world.spec, 1, "ann", "looks odd")
    world.new_data()
    world.pass_time(days=1)
    world.look()
    assert len(world.target.load_versions("demand")) == 3
    assert world.traffic == {first: 100}


def test_what_a_person_resumed_is_not_held_again_for_the_same_incident(world: World) -> None:
    world.look()
    world.bad(world.serves)
    world.look()
    world.pass_time(days=2)
    world.bad(world.serves)
    world.look()
    assert world.ledger.hold is not None
    manual_operations.resume_forecast(world.engine(), "demand", "ann")
    world.pass_time(days=2)
    world.look()
    assert world.ledger.hold is None
