"""The loop keeps the promise by itself: stories of one forecast, each told by passes at chosen moments."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mlspec.engine import people
from mlspec.engine.plan import make_plan
from mlspec.errors import Refused, UsageError
from tests.engine.steps import spec
from tests.engine.world import ACCURACY, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def with_two_versions(world: World) -> tuple[str, str]:
    """A world where a first version proved good, and a second one took over."""
    world.look()
    first = world.serves
    world.well(first)
    world.look()
    return first, world.promoted(seed=1)


# --- observe, plan, apply -----------------------------------------------------------------------------------------------------


def test_the_first_pass_makes_it_so_and_the_second_changes_no_byte(world: World) -> None:
    assert world.look().status == "done"
    before = world.state()
    assert world.look().status == "nothing"
    assert world.state() == before


def test_new_data_is_checked_and_forecast_and_trains_nothing(world: World) -> None:
    world.look()
    world.new_data()
    assert world.look().status == "done"
    assert "train" not in world.steps.asked
    assert "forecast" in world.steps.asked
    assert len(world.target.versions("demand")) == 1
    assert world.look().status == "nothing"


def test_a_forecast_with_a_schedule_waits_for_its_moment_and_is_made_once(world: World) -> None:
    world.write(schedule={"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"})
    world.look()
    world.new_data()
    world.look()
    assert len(world.target.runs("demand")) == 1
    world.pass_time(hours=6)
    world.look()
    assert len(world.target.runs("demand")) == 2
    world.new_data()
    world.look()
    assert len(world.target.runs("demand")) == 2


def test_runs_that_were_missed_are_made_up_for_by_one_and_said(world: World) -> None:
    world.write(schedule={"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"})
    world.look()
    world.new_data()
    world.pass_time(days=4)
    world.look()
    assert len(world.target.runs("demand")) == 2
    (said,) = [event.message for event in world.target.events("demand") if event.reason == "RunsMissed"]
    assert said.startswith("3 earlier runs of forecast were missed")


def test_a_plan_says_how_many_intervals_it_backfills(world: World) -> None:
    world.write(schedule={"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"})
    world.look()
    world.pass_time(days=4)
    assert make_plan(world.engine(), [world.spec], None).impact == ()  # nothing newer to forecast from
    world.new_data()
    said = "backfills 4 intervals of schedule.forecast with one forecast: demand"
    assert said in make_plan(world.engine(), [world.spec], None).impact
    world.look()
    assert not any("backfills" in line for line in make_plan(world.engine(), [world.spec], None).impact)


def test_runs_with_nothing_newer_to_forecast_from_are_not_said_to_be_missed(world: World) -> None:
    world.write(schedule={"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"})
    world.look()
    world.pass_time(days=4)
    world.look()
    assert "RunsMissed" not in world.events()
    before = world.state()
    assert world.look().status == "nothing"
    assert world.state() == before


def test_a_clock_that_jumps_a_day_ahead_and_back_runs_each_moment_once(world: World) -> None:
    world.write(schedule={"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"})
    world.look()
    made = []
    for jump in ({"days": 1, "hours": 7}, {"days": -1}, {"days": 1}, {"days": 1}):
        world.new_data()
        world.pass_time(**jump)
        world.look()
        made.append(len(world.target.runs("demand")))
    assert made == [2, 2, 2, 3]  # to tomorrow's moment, back, there in truth, and on to the day after


def test_a_clock_that_is_set_back_runs_nothing_twice(world: World) -> None:
    world.write(schedule={"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"})
    world.look()
    world.new_data()
    world.pass_time(hours=7)
    world.look()
    world.pass_time(days=-1)
    world.new_data()
    world.look()
    assert len(world.target.runs("demand")) == 2


def test_a_retrain_that_is_due_trains_on_newer_data_only(world: World) -> None:
    world.write(schedule={"forecast": None, "retrain": "0 4 * * *", "timezone": "UTC"})
    world.look()
    world.pass_time(days=1)
    world.look()
    assert len(world.target.versions("demand")) == 1
    world.new_data()
    world.look()
    assert len(world.target.versions("demand")) == 1  # today's moment was dealt with
    world.pass_time(days=1)
    world.look()
    assert len(world.target.versions("demand")) == 2


def test_what_the_loop_trains_by_itself_stays_within_the_budget(world: World) -> None:
    daily = {"forecast": None, "retrain": "0 4 * * *", "timezone": "UTC"}
    world.write(schedule=daily, budget={"trainings_per_week": 2})
    world.look()
    for _ in range(5):
        world.new_data()
        world.pass_time(days=1)
        found = world.look()
    assert len(world.target.versions("demand")) == 3  # the first is a person's
    assert "2 of 2 trainings of this week are used up" in found.waits[0]
    world.write(schedule=daily, budget={"trainings_per_week": 2}, model={"seed": 7})
    world.look()
    assert len(world.target.versions("demand")) == 4  # a person's change is no matter of the budget
    world.new_data()
    world.pass_time(days=7)
    world.look()
    assert len(world.target.versions("demand")) == 5


def test_a_file_that_was_deleted_is_made_again(world: World) -> None:
    world.look()
    target = world.target
    path = target.path("demand", target.observe("demand").seen["forecast"].files["forecast"])
    path.unlink()
    assert "was deleted" in world.look().did[0]
    assert path.exists()
    assert world.look().status == "nothing"


def test_a_changed_spec_is_applied_and_another_code_trains_again(world: World) -> None:
    first, second = with_two_versions(world)
    assert first != second
    world.look(code="0.2.0")
    assert world.serves not in (first, second)


@pytest.mark.parametrize("gone", [False, True])
def test_a_run_that_came_due_while_the_data_was_bad_is_made_once_it_is_good(world: World, gone: bool) -> None:
    world.write(schedule={"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"})
    world.look()
    if gone:
        (world.root / "data/sales.csv").unlink()
    else:
        world.steps.data_ok = False
        world.new_data()
    world.look()
    world.pass_time(hours=6)
    world.look()
    world.pass_time(hours=1)
    world.steps.data_ok = True
    world.new_data()
    world.look()
    assert len(world.target.runs("demand")) == 2
    assert "RunsMissed" not in world.events()


def test_a_training_that_the_budget_refuses_is_made_once_there_is_budget(world: World) -> None:
    world.write(
        schedule={"forecast": None, "retrain": "0 4 1,2 * *", "timezone": "UTC"}, budget={"trainings_per_week": 1}
    )
    world.look()
    for _ in range(2):
        world.new_data()
        world.pass_time(days=1)
        world.look()
    assert len(world.target.versions("demand")) == 2  # the second one has no budget left
    before = world.state()
    assert world.look().status == "waiting"
    assert world.state() == before
    world.pass_time(days=6)
    world.look()
    assert len(world.target.versions("demand")) == 3


# --- modes --------------------------------------------------------------------------------------------------------------------


def test_observe_says_what_it_sees_and_does_nothing(world: World) -> None:
    world.look()
    serves = world.serves
    world.write(model={"seed": 5}, reconcile={"mode": "observe"})
    found = world.look()
    assert world.serves == serves
    assert found.did == []
    assert any("model.demand" in line for line in found.reported)
    (paused,) = [each for each in world.observed.conditions if each.type == "Paused"]
    assert (paused.status, paused.reason) == ("True", "Observing")
    before = world.state()
    world.look()
    assert world.state() == before
    world.write(model={"seed": 5})
    world.look()
    assert world.serves != serves
    (paused,) = [each for each in world.observed.conditions if each.type == "Paused"]
    assert paused.status == "False"


def test_what_came_due_while_the_loop_observed_is_made_when_it_acts_again(world: World) -> None:
    daily = {"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"}
    world.write(schedule=daily)
    world.look()
    world.write(schedule=daily, reconcile={"mode": "observe"})
    world.new_data()
    world.pass_time(hours=7)
    for _ in range(2):
        assert any("forecast.demand" in line for line in world.look().reported)
    assert len(world.target.runs("demand")) == 1
    world.write(schedule=daily)
    world.look()
    assert len(world.target.runs("demand")) == 2


def test_observe_tells_of_a_rollback_that_it_leaves_to_people(world: World) -> None:
    _first, second = with_two_versions(world)
    world.write(model={"seed": 1}, reconcile={"mode": "observe"})
    world.bad(second)
    found = world.look()
    assert world.traffic == {second: 100}
    assert any("rolled back" in line and "accuracy" in line for line in found.reported)
    (paused,) = [each for each in world.observed.conditions if each.type == "Paused"]
    assert "rolled back" in paused.message
    before = world.state()
    assert world.look().reported == found.reported
    assert world.state() == before
    world.write(model={"seed": 1})
    world.look()
    assert second in world.ledger.bad


def test_one_kind_of_resource_can_be_left_alone(world: World) -> None:
    world.look()
    world.write(model={"seed": 5}, reconcile={"mode": "enforce", "resources": {"model": "observe"}})
    world.new_data()
    world.look()
    assert len(world.target.versions("demand")) == 1
    assert len(world.target.runs("demand")) == 2


def test_pause_does_nothing_at_all(world: World) -> None:
    world.look()
    world.write(reconcile={"mode": "pause"})
    world.new_data()
    assert world.look().status == "paused"
    assert len(world.target.runs("demand")) == 1
    before = world.state()
    world.look()
    assert world.state() == before


# --- alerts and rollback ------------------------------------------------------------------------------------------------------


def test_a_version_that_turns_bad_gives_way_to_the_last_good_one_in_one_pass(world: World) -> None:
    first, second = with_two_versions(world)
    assert world.traffic == {second: 100}
    world.bad(second)
    found = world.look()
    assert world.traffic == {first: 100}
    assert found.did[0].startswith(f"rolled back: {second} gives way to {first} (release 1)")
    assert world.target.runs("demand")[0].version == first  # and its forecast is made in the same pass
    assert world.ledger.bad == {second}
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
    assert "the fallback, seasonal-naive" in found.did[0]
    assert world.target.runs("demand")[0].version == world.serves
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
    assert "no good version is left" in found.did[0]
    (healthy,) = [each for each in world.observed.conditions if each.type == "Healthy"]
    assert (healthy.status, healthy.reason) == ("False", "NeedsAPerson")


def test_where_demand_moved_no_version_is_blamed_and_a_newer_model_is_asked_for(world: World) -> None:
    first, second = with_two_versions(world)
    world.steps.otherwise = 0.5  # as any other would have done, the fallback too
    world.bad(first)
    world.bad(second)
    found = world.look()
    assert "demand moved, not the model" in found.waits[0]
    assert world.traffic == {second: 100}
    assert world.ledger.bad == frozenset()
    assert world.ledger.rollbacks == ()
    assert world.look().status == "waiting"  # until there is newer data, or other evidence
    world.new_data()
    found = world.look()
    assert any(line.startswith("model.demand: data.digest changed") for line in found.did)
    assert world.serves not in (first, second)
    assert world.events().count("RollbackWouldNotHelp") == 1


def test_a_version_that_cannot_be_weighed_holds_up_no_rollback(world: World) -> None:
    first, second = with_two_versions(world)
    world.steps.weighable = False
    world.bad(second)
    world.look()
    assert world.serves == first
    assert world.ledger.bad == {second}
    assert "NotWeighed" in world.events()


def test_a_canary_gives_back_its_traffic_where_nothing_can_be_weighed(world: World) -> None:
    first, second = on_its_way(world)
    world.steps.weighable = False
    world.bad(second)
    world.look()
    assert world.traffic == {first: 100}
    assert world.ledger.bad == {second}


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
    assert world.ledger.bad == {second}


def test_an_earlier_version_that_was_bad_unnoticed_is_passed_over(world: World) -> None:
    first, second = with_two_versions(world)
    third = world.promoted(seed=2)
    world.steps.well[second] = 0.6  # known only after it was replaced
    world.bad(third)
    world.look()
    assert world.serves == first
    assert world.ledger.bad == {third}


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
    assert "2 rollbacks did not help" in found.did[0]
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
    people.silence(world.engine(), "demand", "drift", timedelta(days=5), "ann", "a strike")
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
    assert len(world.target.versions("demand")) == 1
    world.new_data()
    world.look()
    assert len(world.target.versions("demand")) == 2


def test_a_silenced_alert_moves_nothing_until_its_time_is_over(world: World) -> None:
    _first, second = with_two_versions(world)
    people.silence(world.engine(), "demand", "accuracy", timedelta(days=3), "ann", "a strike")
    world.bad(second)
    world.look()
    assert world.serves == second
    assert world.ledger.alerts[0].state == "silenced"
    world.pass_time(days=3)
    world.look()
    assert world.serves != second


# --- rollouts -----------------------------------------------------------------------------------------------------------------

CANARY = {"serve": "batch", "rollout": {"strategy": "canary", "steps": [10, 50, 100], "interval": "1h"}}


def on_its_way(world: World, **deployment: object) -> tuple[str, str]:
    """A world where a second version is at its rollout's first step."""
    world.write(deployment=deployment or CANARY)
    world.look()
    first = world.serves
    world.well(first)
    world.look()
    world.write(deployment=deployment or CANARY, model={"seed": 1})
    world.look()
    rollout = world.ledger.rollout
    assert rollout is not None
    return first, rollout.version


def test_a_canary_goes_on_step_by_step_on_evidence(world: World) -> None:
    first, second = on_its_way(world)
    assert world.traffic == {first: 90, second: 10}
    world.well(second)
    world.look()
    assert world.traffic == {first: 50, second: 50}
    world.look()
    assert world.traffic == {first: 50, second: 50}  # the interval has not passed
    world.pass_time(hours=1)
    world.look()
    assert world.traffic == {second: 100}
    assert world.ledger.rollout is None
    assert world.target.runs("demand")[0].version == second


def test_a_canary_without_evidence_waits_however_long(world: World) -> None:
    first, second = on_its_way(world)
    for _ in range(4):
        world.pass_time(days=7)
        found = world.look()
    assert world.traffic == {first: 90, second: 10}
    assert "too little data" in found.waits[0]


def test_a_canary_that_fails_gives_its_traffic_back_and_is_kept_out(world: World) -> None:
    first, second = on_its_way(world)
    world.bad(second)
    world.look()
    assert world.traffic == {first: 100}
    assert world.ledger.bad == {second}
    world.pass_time(days=30)
    world.look()
    assert world.traffic == {first: 100}
    assert world.look().status == "nothing"


def test_a_canary_that_does_no_worse_than_what_serves_would_have_keeps_its_share(world: World) -> None:
    first, second = on_its_way(world)
    world.bad(first)
    world.bad(second)
    found = world.look()
    assert f"{first} would have done no better" in found.waits[0]
    assert world.traffic == {first: 90, second: 10}
    assert world.ledger.bad == frozenset()
    assert world.look().did == []
    world.well(first)
    world.look()
    assert world.traffic == {first: 100}
    assert world.ledger.bad == {second}


def test_blue_green_waits_once_beside_what_serves(world: World) -> None:
    blue_green = {"serve": "batch", "rollout": {"strategy": "blue-green", "steps": [], "interval": "2h"}}
    first, second = on_its_way(world, **blue_green)
    assert world.traffic == {first: 100, second: 0}
    world.well(second)
    world.look()
    assert world.traffic == {second: 100}


def test_a_newer_version_takes_the_place_of_one_that_is_on_its_way(world: World) -> None:
    first, second = on_its_way(world)
    world.write(deployment=CANARY, model={"seed": 2})
    world.look()
    rollout = world.ledger.rollout
    assert rollout is not None
    assert rollout.stable_version == first
    assert rollout.version not in (first, second)
    assert world.traffic == {first: 90, rollout.version: 10}


# --- people -------------------------------------------------------------------------------------------------------------------


def test_a_person_s_rollback_is_held_until_a_person_resumes(world: World) -> None:
    first, second = with_two_versions(world)
    people.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
    assert world.traffic == {first: 100}
    assert world.target.runs("demand")[0].version == first
    world.new_data()
    world.pass_time(days=40)
    world.look()
    assert world.serves == first
    people.resume(world.engine(), "demand", "ann")
    world.look()
    assert world.serves == first  # what was rolled back stays in quarantine
    people.resume(world.engine(), "demand", "ann", forgive=second)
    world.look()
    assert world.serves == second


def test_a_hold_ends_when_the_spec_changes(world: World) -> None:
    first, _second = with_two_versions(world)
    people.roll_back(world.engine(), world.spec, 1, "ann", "looks odd")
    third = world.promoted(seed=3)
    assert third != first
    assert world.ledger.hold is None


def test_a_rollback_to_what_cannot_serve_is_refused_with_the_reason(world: World) -> None:
    with_two_versions(world)
    with pytest.raises(UsageError, match="no release 9"):
        people.roll_back(world.engine(), world.spec, 9, "ann", "why")
    with pytest.raises(Refused, match="is what serves now"):
        people.roll_back(world.engine(), world.spec, 2, "ann", "why")
    people.roll_back(world.engine(), world.spec, 1, "ann", "why")
    with pytest.raises(Refused, match="in quarantine"):
        people.roll_back(world.engine(), world.spec, 2, "ann", "why")
    with pytest.raises(Refused, match="no earlier good release"):
        people.roll_back(world.engine(), world.spec, None, "ann", "why")


def test_there_is_nothing_to_resume_where_nothing_is_held(world: World) -> None:
    world.look()
    with pytest.raises(Refused, match="neither held nor stalled"):
        people.resume(world.engine(), "demand", "ann")


# --- faults -------------------------------------------------------------------------------------------------------------------


def test_one_forecast_that_fails_holds_up_no_other(world: World) -> None:
    lost = spec("lost", dataset={"source": {"uri": "data/nothing.csv", "query": None}})
    world.steps.fails = None
    from mlspec.engine.loop import reconcile

    found = reconcile(world.engine(), [lost, world.spec])
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
    assert any("wape is 0.31, above 0.2" in event.message for event in world.target.events("demand"))


def test_a_held_release_is_moved_by_nothing_not_even_its_own_alert(world: World) -> None:
    first, _second = with_two_versions(world)
    people.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
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
    people.roll_back(world.engine(), world.spec, 1, "ann", "looks odd")
    world.new_data()
    world.pass_time(days=1)
    world.look()
    assert len(world.target.versions("demand")) == 3
    assert world.traffic == {first: 100}


def test_what_a_person_resumed_is_not_held_again_for_the_same_incident(world: World) -> None:
    world.look()
    world.bad(world.serves)
    world.look()
    world.pass_time(days=2)
    world.bad(world.serves)
    world.look()
    assert world.ledger.hold is not None
    people.resume(world.engine(), "demand", "ann")
    world.pass_time(days=2)
    world.look()
    assert world.ledger.hold is None
