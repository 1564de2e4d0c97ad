"""A version that turns bad gives way, where that helps; and what alerts say of it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from mlspec.engine import manual_operations
from tests.engine.world import ACCURACY, World, on_its_way, with_two_versions


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_version_that_turns_bad_gives_way_to_the_last_good_one_in_one_pass(world: World) -> None:
    first, second = with_two_versions(world)
    assert world.traffic == {second: 100}
    world.bad(second)
    found = world.look()
    assert world.traffic == {first: 100}
    assert found.actions[0].startswith(f"rolled back: {second} was replaced by {first} (release 1)")
    assert world.target.load_runs("demand")[0].version == first  # and its forecast is made in the same pass
    assert world.ledger.quarantined_versions == {second}
    assert [event for event in world.events() if event in ("AlertFiring", "RolledBack")] == [
        "AlertFiring",
        "RolledBack",
    ]


def test_a_version_in_quarantine_is_never_promoted_again_until_something_changes(world: World) -> None:
    first, second = with_two_versions(world)
    world.bad(second)
    world.look()
    for _ in range(5):
        world.pass_time(days=3)
        world.look()
        assert world.serves == first
    world.write(metadata={"owner": "someone@example.com"}, model={"seed": 1})
    world.look()
    assert world.serves == first  # another owner makes no other model
    third = world.promoted(seed=2)
    assert third not in (first, second)


def test_evidence_about_an_earlier_version_moves_nothing(world: World) -> None:
    first, second = with_two_versions(world)
    world.bad(first)
    found = world.look()
    assert world.serves == second
    assert "fires on an earlier version" in found.waits[0]


def test_without_a_good_version_the_fallback_serves(world: World) -> None:
    world.look()
    only = world.serves
    world.bad(only)
    found = world.look()
    assert world.serves != only
    assert "the fallback, seasonal-naive" in found.actions[0]
    assert world.target.load_runs("demand")[0].version == world.serves
    assert world.look().status == "nothing"


def test_a_fallback_that_is_bad_too_keeps_serving_and_asks_for_a_person(world: World) -> None:
    world.look()
    world.bad(world.serves)
    world.look()
    fallback = world.serves
    world.pass_time(days=2)
    world.bad(fallback)
    found = world.look()
    assert world.serves == fallback
    assert "no good version is left" in found.actions[0]
    (healthy,) = [each for each in world.observed.conditions if each.type == "Healthy"]
    assert (healthy.status, healthy.reason) == ("False", "NeedsAPerson")


def test_where_demand_moved_no_version_is_blamed_and_a_newer_model_is_asked_for(world: World) -> None:
    first, second = with_two_versions(world)
    world.steps.otherwise = 0.5  # as any other would have done, the fallback too
    world.bad(first)
    world.bad(second)
    found = world.look()
    assert "demand changed, not the model" in found.waits[0]
    assert world.traffic == {second: 100}
    assert world.ledger.quarantined_versions == frozenset()
    assert world.ledger.rollbacks == ()
    assert world.look().status == "waiting"  # until there is newer data, or other evidence
    world.new_data()
    found = world.look()
    assert any(
        re.match("model.demand passed the gate as v[0-9a-f]+: data.digest changed", line) for line in found.actions
    )
    assert world.serves not in (first, second)
    assert world.events().count("RollbackWouldNotHelp") == 1


def test_a_version_that_cannot_be_weighed_holds_up_no_rollback(world: World) -> None:
    first, second = with_two_versions(world)
    world.steps.weighable = False
    world.bad(second)
    world.look()
    assert world.serves == first
    assert world.ledger.quarantined_versions == {second}
    assert "NotWeighed" in world.events()


def test_a_canary_gives_back_its_traffic_where_nothing_can_be_weighed(world: World) -> None:
    first, second = on_its_way(world)
    world.steps.weighable = False
    world.bad(second)
    world.look()
    assert world.traffic == {first: 100}
    assert world.ledger.quarantined_versions == {second}


def test_what_would_not_have_helped_is_weighed_again_on_other_evidence(world: World) -> None:
    first, second = with_two_versions(world)
    world.steps.otherwise = 0.5
    world.bad(first)
    world.bad(second)
    world.look()
    assert world.serves == second
    world.well(first)
    world.look()
    assert world.serves == first
    assert world.ledger.quarantined_versions == {second}


def test_an_earlier_version_that_was_bad_unnoticed_is_passed_over(world: World) -> None:
    first, second = with_two_versions(world)
    third = world.promoted(seed=2)
    world.steps.well[second] = 0.6  # known only after it was replaced
    world.bad(third)
    world.look()
    assert world.serves == first
    assert world.ledger.quarantined_versions == {third}


def test_a_version_that_undoes_half_of_the_trouble_takes_over(world: World) -> None:
    first, second = with_two_versions(world)
    world.steps.well[first] = 0.3  # beyond 0.2 too, by 0.1 against 0.2
    world.bad(second, 0.4)
    world.look()
    assert world.serves == first


def test_a_second_rollback_waits_for_the_cooldown(world: World) -> None:
    world.write(rollback={"on": ["accuracy"], "cooldown": "72h"})
    first, second = with_two_versions(world)
    world.bad(second)
    world.look()
    third = world.promoted(seed=2)
    world.bad(third)
    assert "within the cooldown" in world.look().waits[0]
    assert world.serves == third
    world.pass_time(days=3)
    world.look()
    assert world.serves == first


def test_after_the_last_attempt_it_holds_and_asks_for_a_person(world: World) -> None:
    with_two_versions(world)
    for seed in (2, 3):
        world.bad(world.serves)
        world.look()
        world.pass_time(days=2)
        world.promoted(seed=seed)
    last = world.serves
    world.bad(last)
    found = world.look()
    assert world.serves == last
    assert "2 rollbacks did not help" in found.actions[0]
    assert world.ledger.hold is not None
    world.pass_time(days=30)
    world.look()
    assert world.serves == last


def test_a_version_that_proves_good_gives_the_attempts_back(world: World) -> None:
    with_two_versions(world)
    world.bad(world.serves)
    world.look()
    assert len(world.ledger.rollbacks) == 1
    third = world.promoted(seed=2)
    world.well(third)
    world.look()
    assert world.ledger.rollbacks == ()


def test_what_the_data_says_blames_the_version_that_served_when_it_began(world: World) -> None:
    drift = {**ACCURACY, "name": "drift", "metric": "psi"}
    parts = {"alerts": [drift], "rollback": {"on": ["drift"], "cooldown": "72h"}}
    world.write(**parts)
    world.look()
    first = world.serves
    world.write(**parts, model={"seed": 1})
    world.look()
    world.bad(world.serves)
    world.look()
    assert world.serves == first
    world.write(**parts, model={"seed": 2})
    world.look()
    third = world.serves
    world.bad(third)
    assert "within the cooldown" in world.look().waits[0]
    world.write(**parts, model={"seed": 2}, metadata={"owner": "someone@example.com"})
    world.look()  # another release of the same version
    assert world.serves == third
    world.well(third, None)
    world.look()
    assert world.ledger.alerts[0].state == "no-data"
    world.bad(third)
    world.pass_time(days=1)
    world.look()
    assert world.serves == first


def test_a_silence_that_ends_blames_no_version_that_came_in_under_it(world: World) -> None:
    parts = {"alerts": [{**ACCURACY, "name": "drift", "metric": "psi"}], "rollback": {"on": ["drift"]}}
    world.write(**parts)
    world.look()
    manual_operations.silence_alert(
        world.engine(), "demand", alert="drift", span=timedelta(days=5), by="ann", reason="a strike"
    )
    world.bad(world.serves)
    world.look()
    world.pass_time(hours=1)
    world.write(**parts, model={"seed": 1})
    world.look()
    second = world.serves
    world.pass_time(days=6)
    found = world.look()
    assert world.ledger.alerts[0].state == "firing"
    assert world.serves == second
    assert "fires on an earlier version" in found.waits[0]


def test_a_version_that_proves_good_does_not_end_the_cooldown(world: World) -> None:
    world.write(rollback={"on": ["accuracy"], "cooldown": "72h"})
    first, second = with_two_versions(world)
    world.bad(second)
    world.look()
    third = world.promoted(seed=2)
    world.well(third)
    world.look()
    world.bad(third)
    assert "within the cooldown" in world.look().waits[0]
    assert world.serves == third
    world.pass_time(days=1)
    world.look()
    assert world.serves == first


def test_without_data_nothing_is_healthy_and_nothing_moves(world: World) -> None:
    world.look()
    world.pass_time(days=1)
    world.look()
    (healthy,) = [each for each in world.observed.conditions if each.type == "Healthy"]
    assert (healthy.status, healthy.reason) == ("Unknown", "NoData")


def test_an_alert_that_fires_asks_for_a_training_once_there_is_newer_data(world: World) -> None:
    world.write(rollback={"on": []})
    world.look()
    world.bad(world.serves)
    world.look()
    assert len(world.target.load_versions("demand")) == 1
    world.new_data()
    world.look()
    assert len(world.target.load_versions("demand")) == 2


def test_a_silenced_alert_moves_nothing_until_its_time_is_over(world: World) -> None:
    _first, second = with_two_versions(world)
    manual_operations.silence_alert(
        world.engine(), "demand", alert="accuracy", span=timedelta(days=3), by="ann", reason="a strike"
    )
    world.bad(second)
    world.look()
    assert world.serves == second
    assert world.ledger.alerts[0].state == "silenced"
    world.pass_time(days=3)
    world.look()
    assert world.serves != second
