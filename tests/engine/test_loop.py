"""What the loop does by itself, and what is its to do: stories of one forecast, told by passes at chosen moments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.engine import manual_operations
from mlspec.engine.apply import apply_specs
from mlspec.engine.plan import make_plan
from mlspec.engine.status import find_status
from mlspec.plan.delivery import undelivered_sentence
from mlspec.plan.moments import format_moment
from tests.engine.world import World, with_two_versions


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# --- observe, plan, apply ----------------------------------------------------------------------------------------------------


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
    assert len(world.target.load_versions("demand")) == 1
    assert world.look().status == "nothing"


def test_a_forecast_with_a_schedule_waits_for_its_moment_and_is_made_once(world: World) -> None:
    world.write(schedule={"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"})
    world.look()
    world.new_data()
    world.look()
    assert len(world.target.load_runs("demand")) == 1
    world.pass_time(hours=6)
    world.look()
    assert len(world.target.load_runs("demand")) == 2
    world.new_data()
    world.look()
    assert len(world.target.load_runs("demand")) == 2


def test_runs_that_were_missed_are_made_up_for_by_one_and_said(world: World) -> None:
    world.write(schedule={"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"})
    world.look()
    world.new_data()
    world.pass_time(days=4)
    world.look()
    assert len(world.target.load_runs("demand")) == 2
    (said,) = [event.message for event in world.target.load_events("demand") if event.reason == "RunsMissed"]
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
        made.append(len(world.target.load_runs("demand")))
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
    assert len(world.target.load_runs("demand")) == 2


def test_a_retrain_that_is_due_trains_on_newer_data_only(world: World) -> None:
    world.write(schedule={"forecast": None, "retrain": "0 4 * * *", "timezone": "UTC"})
    world.look()
    world.pass_time(days=1)
    world.look()
    assert len(world.target.load_versions("demand")) == 1
    world.new_data()
    world.look()
    assert len(world.target.load_versions("demand")) == 1  # today's moment was dealt with
    world.pass_time(days=1)
    world.look()
    assert len(world.target.load_versions("demand")) == 2


def test_what_the_loop_trains_by_itself_stays_within_the_budget(world: World) -> None:
    daily = {"forecast": None, "retrain": "0 4 * * *", "timezone": "UTC"}
    world.write(schedule=daily, budget={"trainings_per_week": 2})
    world.look()
    for _ in range(5):
        world.new_data()
        world.pass_time(days=1)
        found = world.look()
    assert len(world.target.load_versions("demand")) == 3  # the first is a person's
    assert "2 of 2 trainings of this week are used up" in found.waits[0]
    world.write(schedule=daily, budget={"trainings_per_week": 2}, model={"seed": 7})
    world.look()
    assert len(world.target.load_versions("demand")) == 4  # a person's change is no matter of the budget
    world.new_data()
    world.pass_time(days=7)
    world.look()
    assert len(world.target.load_versions("demand")) == 5


def test_a_file_that_was_deleted_is_made_again(world: World) -> None:
    world.look()
    target = world.target
    path = target.fetch_file("demand", target.observe_forecast("demand").resources["forecast"].files["forecast"])
    path.unlink()
    assert "was deleted" in world.look().actions[0]
    assert path.exists()
    assert world.look().status == "nothing"


def test_a_changed_spec_is_applied_and_another_code_trains_again(world: World) -> None:
    first, second = with_two_versions(world)
    assert first != second
    world.look(code="0.2.0")
    assert world.serves not in (first, second)


def test_a_pass_brings_the_present_alerts_and_receivers_while_the_gate_keeps_a_version_out(world: World) -> None:
    world.look()
    first = world.serves
    world.steps.metrics["wape"] = 0.95
    world.write(model={"seed": 1})
    assert world.look().status == "kept-out"
    receivers = {"notify": [{"webhook": {"secret": "oncall"}}]}
    world.write(model={"seed": 1}, **receivers)
    assert world.look().status == "done"
    assert world.serves == first
    newest_release = world.target.load_releases("demand")[0]
    assert newest_release.spec["notify"] == world.spec.json["notify"]
    before = world.state()
    assert world.look().status == "nothing"
    assert world.state() == before
    world.steps.metrics["wape"] = 0.1
    world.write(model={"seed": 2}, **receivers)
    world.look()
    assert world.serves != first
    assert world.target.load_releases("demand")[0].spec == world.spec.json


def test_the_rules_that_kept_a_version_of_the_loop_out_are_in_the_history_and_in_the_status(world: World) -> None:
    world.look()
    world.steps.metrics["wape"] = 0.95
    world.write(model={"seed": 1})
    world.look()
    said = next(event.message for event in world.target.load_events("demand") if event.reason == "GateClosed")
    assert said.endswith("the gate keeps it out: wape 0.95 is not below 0.9")
    assert find_status(world.target, "demand", world.now).kept_out == said


def test_a_hold_while_the_gate_keeps_a_version_out_releases_no_key_that_is_kept_out(world: World) -> None:
    world.look()
    first = world.serves
    world.steps.metrics["wape"] = 0.95
    world.write(model={"seed": 1})
    world.look()
    manual_operations.hold_forecast(world.engine(), world.spec, "ann", "the fair")
    assert world.look().status == "nothing"
    (release,) = world.target.load_releases("demand")
    assert (release.version, world.serves) == (first, first)
    manual_operations.resume_forecast(world.engine(), "demand", "ann")
    assert world.look().status == "nothing"
    assert world.target.load_releases("demand") == (release,)


def test_a_rollback_while_the_gate_keeps_a_version_out_releases_no_key_that_is_kept_out(world: World) -> None:
    first, _second = with_two_versions(world)
    world.steps.metrics["wape"] = 0.95
    receivers = {"notify": [{"webhook": {"secret": "oncall"}}]}
    world.write(model={"seed": 5}, **receivers)
    world.look()
    served = world.target.load_releases("demand")[0]
    manual_operations.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
    assert world.serves == first
    rolled_back = world.target.load_releases("demand")
    assert rolled_back[0].spec == {**served.spec, "notify": world.spec.json["notify"]}
    world.look()
    assert world.target.load_releases("demand") == rolled_back


def test_a_rollback_to_the_shape_of_a_spec_that_is_kept_out_serves_under_that_spec(world: World) -> None:
    world.look()
    first = world.serves
    world.promoted(horizon=14)
    world.steps.metrics["wape"] = 0.95
    world.write(model={"seed": 5})  # the first horizon again
    world.look()
    manual_operations.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
    release = world.target.load_releases("demand")[0]
    assert (release.version, release.spec) == (first, world.spec.json)


def test_a_notice_to_a_receiver_that_the_spec_no_longer_names_is_discarded_and_said(world: World) -> None:
    world.write(notify=[{"webhook": {"secret": "old"}}, {"webhook": {"secret": "desk"}}], rollback={"on": []})
    world.look()
    world.bad(world.serves)
    world.look()
    (alert,) = world.ledger.alerts
    assert (alert.state, alert.discarded) == ("firing", False)
    old, desk = sorted(world.target.load_undelivered_notices("demand"), key=lambda one: one.receiver, reverse=True)
    assert (old.receiver, desk.receiver) == ("webhook:old", "webhook:desk")
    world.write(notify=[{"webhook": {"secret": "desk"}}], rollback={"on": []})
    world.look()
    assert world.target.load_undelivered_notices("demand") == (desk,)
    told = [event.message for event in world.target.load_events("demand") if event.reason == "NoticeDiscarded"]
    assert len(told) == 1
    assert "is not sent to webhook:old, which the spec no longer names" in told[0]
    assert world.ledger.alerts[0].discarded
    world.target.mark_delivered(replace(old, attempts=1, problem="an attempt that was under way failed"), None)
    assert world.target.load_undelivered_notices("demand") == (desk,)


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
    assert len(world.target.load_runs("demand")) == 2
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
    assert len(world.target.load_versions("demand")) == 2  # the second one has no budget left
    before = world.state()
    assert world.look().status == "waiting"
    assert world.state() == before
    world.pass_time(days=6)
    world.look()
    assert len(world.target.load_versions("demand")) == 3


# --- modes -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [[0.5], [0.1, None]], ids=["during an incident", "while its data are lost"])
def test_an_alert_that_is_taken_out_of_the_spec_is_over_for_who_heard_of_it(
    world: World, last: list[float | None]
) -> None:
    told = {"notify": [{"webhook": {"secret": "oncall"}}], "rollback": {"on": []}}
    world.write(**told)
    world.look()
    for wape in last:
        world.bad(world.serves, wape)
        world.look()
    world.write(**told, alerts=[])
    found = world.look()
    notices = [each.notice.state for each in world.target.load_undelivered_notices("demand")]
    assert sorted(notices) == (["firing", "removed"] if last == [0.5] else ["no-data", "no-data-removed"])
    assert world.ledger.alerts == ()
    (said,) = [event.message for event in world.target.load_events("demand") if event.reason == "AlertRemoved"]
    assert said.startswith("accuracy: the spec no longer has this alert, which had ")
    assert f"alert {said}" in found.alert_changes
    (healthy,) = [each for each in world.observed.conditions if each.type == "Healthy"]
    assert (healthy.status, healthy.reason, healthy.message) == (
        "Unknown", "NoAlerts", "the spec has no alert, so nothing judges the forecasts",
    )  # fmt: skip
    assert world.look().status == "nothing"


PAGER = {"notify": [{"pagerduty": {"secret": "pager"}}], "rollback": {"on": []}}


def deliver(world: World) -> None:
    """Let every receiver accept what waits for it."""
    for pending in world.target.load_undelivered_notices("demand"):
        world.target.mark_delivered(replace(pending, attempts=1, problem=""), format_moment(world.now))


@pytest.mark.parametrize("with_alert", [True, False], ids=["with its alert", "alone, and the alert is resolved later"])
@pytest.mark.parametrize("by_apply", [False, True], ids=["by the loop", "by apply"])
def test_an_incident_at_a_receiver_that_is_taken_out_of_the_spec_is_left_to_a_person(
    world: World, with_alert: bool, by_apply: bool
) -> None:
    world.write(**PAGER)
    world.look()
    world.bad(world.serves)
    world.look()
    deliver(world)
    world.write(rollback={"on": []}, notify=[], **({"alerts": []} if with_alert else {}))
    if by_apply:
        apply_specs(world.engine(), [world.spec])
    world.look()
    if not with_alert:
        assert world.target.load_undelivered_notices("demand") == ()  # the incident goes on
        world.well(world.serves)
        world.look()
    (left,) = world.target.load_undelivered_notices("demand")
    assert (left.receiver, left.notice.state) == ("pagerduty:pager", "removed" if with_alert else "resolved")
    assert left.notice.severity == "critical"
    (said,) = [event.message for event in world.target.load_events("demand") if event.reason == "IncidentLeftOpen"]
    assert "the incident stays open there until a person closes it" in said
    assert said == undelivered_sentence(left)
    assert find_status(world.target, "demand", world.now).undelivered == (left,)
    assert world.target.load_due_notices("9999-01-01T00:00:00Z") == ()
    world.promoted(seed=7)  # another release leaves it as it is
    assert world.target.load_undelivered_notices("demand") == (left,)
    assert world.events().count("IncidentLeftOpen") == 1
    manual_operations.settle_notices(world.engine(), "demand", "ann", "discard")
    assert world.target.load_undelivered_notices("demand") == ()


def test_an_end_that_waits_for_a_receiver_which_is_taken_out_of_the_spec_is_left_to_a_person(world: World) -> None:
    world.write(**PAGER)
    world.look()
    world.bad(world.serves)
    world.look()
    deliver(world)
    world.well(world.serves)
    world.look()
    (waits,) = world.target.load_undelivered_notices("demand")
    world.write(notify=[], rollback={"on": []})
    world.look()
    (left,) = world.target.load_undelivered_notices("demand")
    assert (left.notice, left.next_at) == (waits.notice, None)
    assert "IncidentLeftOpen" in world.events()


@pytest.mark.parametrize("is_over", [False, True])
def test_nothing_is_open_at_a_receiver_that_never_heard_of_the_incident(world: World, is_over: bool) -> None:
    world.write(**PAGER)
    world.look()
    world.bad(world.serves)
    world.look()
    if is_over:
        world.well(world.serves)
        world.look()
    world.write(notify=[], alerts=[], rollback={"on": []})
    world.look()
    assert world.target.load_undelivered_notices("demand") == ()
    assert "IncidentLeftOpen" not in world.events()
    assert world.events().count("NoticeDiscarded") == (2 if is_over else 1)


def test_that_an_alert_is_over_is_not_sent_to_a_chat_that_the_spec_no_longer_names_and_the_history_says_so(
    world: World,
) -> None:
    world.write(**{**PAGER, "notify": [{"slack": {"secret": "chat"}}]})
    world.look()
    world.bad(world.serves)
    world.look()
    deliver(world)
    world.write(notify=[], alerts=[], rollback={"on": []})
    world.look()
    assert world.target.load_undelivered_notices("demand") == ()
    (said,) = [event.message for event in world.target.load_events("demand") if event.reason == "NoticeDiscarded"]
    assert "is not sent to slack:chat, which the spec no longer names" in said


def test_observe_says_what_it_sees_and_does_nothing(world: World) -> None:
    world.look()
    serves = world.serves
    world.write(model={"seed": 5}, reconcile={"mode": "observe"})
    found = world.look()
    assert world.serves == serves
    assert found.actions == []
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
    assert len(world.target.load_runs("demand")) == 1
    world.write(schedule=daily)
    world.look()
    assert len(world.target.load_runs("demand")) == 2


def test_a_run_that_came_due_under_observe_with_nothing_newer_is_made_when_the_loop_acts_again(world: World) -> None:
    daily = {"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"}
    world.write(schedule=daily)
    world.look()
    world.write(schedule=daily, reconcile={"mode": "observe"})
    world.pass_time(hours=7)
    world.look()
    world.new_data()
    world.write(schedule=daily)
    world.look()
    assert len(world.target.load_runs("demand")) == 2


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
    assert second in world.ledger.quarantined_versions


def test_one_kind_of_resource_can_be_left_alone(world: World) -> None:
    world.look()
    world.write(model={"seed": 5}, reconcile={"mode": "enforce", "resources": {"model": "observe"}})
    world.new_data()
    world.look()
    assert len(world.target.load_versions("demand")) == 1
    assert len(world.target.load_runs("demand")) == 2


def test_pause_does_nothing_at_all(world: World) -> None:
    world.look()
    world.write(reconcile={"mode": "pause"})
    world.new_data()
    assert world.look().status == "paused"
    assert len(world.target.load_runs("demand")) == 1
    before = world.state()
    world.look()
    assert world.state() == before
