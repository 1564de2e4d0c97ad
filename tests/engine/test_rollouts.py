"""A version comes in by steps, on evidence, or gives its traffic back; and a person's word goes before what the loop would do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlspec.engine import manual_operations
from mlspec.engine.rollback_preview import preview_rollback
from mlspec.errors import Refused, StateError, StoppedPartWay, UsageError
from mlspec.state.ledger import Quarantine
from mlspec.state.observed import Settlement
from mlspec.state.predicted import Predictions
from tests.engine.world import CANARY, World, on_its_way, with_two_versions


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# --- rollouts ----------------------------------------------------------------------------------------------------------------


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
    assert world.target.load_runs("demand")[0].version == second


def sent(world: World) -> list[tuple[str, str, str | None]]:
    """What stands in the outbox of rollouts and rollbacks: kind, state and version, in order."""
    pending = world.target.load_due_notices("2099-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
    found = sorted((each.notice for each in pending if each.notice.kind != "alert"), key=lambda notice: notice.at)
    return [(notice.kind, notice.state, notice.version) for notice in found]


def test_people_are_told_when_a_rollout_begins_goes_on_and_is_over(world: World) -> None:
    receiver = {"notify": [{"webhook": {"secret": "oncall"}}], "deployment": CANARY}
    world.write(**receiver)
    world.look()
    first = world.serves
    assert sent(world) == []  # nothing served before, so nothing is rolled out
    world.well(first)
    world.look()
    world.write(**receiver, model={"seed": 1})
    world.look()
    (second,) = set(world.traffic) - {first}
    assert sent(world) == [("rollout", "stepped", second)]
    world.well(second)
    world.look()
    world.look()
    assert sent(world) == [("rollout", "stepped", second)] * 2
    world.pass_time(hours=1)
    world.look()
    assert sent(world) == [("rollout", "stepped", second)] * 2 + [("rollout", "rolled-out", second)]


def test_a_rollout_goes_on_where_it_is_if_the_spec_changes_in_other_keys(world: World) -> None:
    first, second = on_its_way(world)
    world.well(second)
    world.look()
    before = world.ledger.rollout
    assert before is not None
    world.write(deployment=CANARY, model={"seed": 1}, notify=[{"webhook": {"secret": "oncall"}}])
    world.look()
    assert world.target.load_releases("demand")[0].release == before.release + 1
    assert world.traffic == {first: 50, second: 50}
    assert world.ledger.rollout == replace(before, release=before.release + 1)
    assert sent(world) == []  # nothing new began
    world.pass_time(hours=1)
    world.look()
    assert world.traffic == {second: 100}


def test_a_rollout_begins_anew_if_its_own_rules_change(world: World) -> None:
    first, second = on_its_way(world)
    world.well(second)
    world.look()
    assert world.traffic == {first: 50, second: 50}
    rollout = {**CANARY["rollout"], "steps": [20, 100]}  # type: ignore[dict-item]
    world.write(deployment={**CANARY, "rollout": rollout}, model={"seed": 1})
    world.look()
    assert world.traffic == {first: 80, second: 20}


def test_an_aborted_rollout_is_told_as_a_rollback_and_only_to_whom_it_concerns(world: World) -> None:
    receivers = {"notify": [{"webhook": {"secret": "oncall"}, "severity": "critical"}], "deployment": CANARY}
    world.write(**receivers)
    world.look()
    first = world.serves
    world.well(first)
    world.look()
    world.write(**receivers, model={"seed": 1})
    world.look()
    (second,) = set(world.traffic) - {first}
    world.bad(second)
    world.look()
    assert sent(world) == [("rollback", "rolled-back", second)]


def test_a_canary_without_evidence_waits_however_long(world: World) -> None:
    first, second = on_its_way(world)
    for _ in range(4):
        world.pass_time(days=7)
        found = world.look()
    assert world.traffic == {first: 90, second: 10}
    assert "too little data" in found.waits[0]


@pytest.mark.parametrize("is_reverted", [False, True])
def test_a_version_that_is_replaced_in_its_rollout_is_said_to_have_never_served_everything(
    world: World, is_reverted: bool
) -> None:
    first, second = on_its_way(world)
    world.write(deployment=CANARY, model={} if is_reverted else {"seed": 2})
    world.look()
    (said,) = [event for event in world.target.load_events("demand") if event.reason == "RolloutReplaced"]
    third = first if is_reverted else world.target.load_releases("demand")[0].version
    successor = f"{first} serves again" if is_reverted else f"{third} takes its place"
    assert said.message == f"the rollout of {second} ended at step 1, before it served everything: {successor}"
    assert said.version == second
    assert world.traffic == ({first: 100} if is_reverted else {third: 10, first: 90})


def test_a_rollout_takes_the_present_steps_while_the_gate_keeps_a_newer_version_out(world: World) -> None:
    first, second = on_its_way(world)
    served = world.target.load_releases("demand")[0].spec
    fewer = {"serve": "batch", "rollout": {"strategy": "canary", "steps": [20, 100], "interval": "2h"}}
    world.steps.metrics["wape"] = 0.95
    world.write(deployment=fewer, model={"seed": 9})
    assert world.look().kept_out
    assert world.traffic == {second: 20, first: 80}
    assert world.target.load_releases("demand")[0].spec == {**served, "deployment": world.spec.json["deployment"]}
    world.well(first)
    world.well(second)
    world.look()
    assert world.traffic == {second: 100}
    assert world.look().status == "nothing"


def test_a_rollout_that_is_aborted_while_the_gate_keeps_a_newer_version_out_releases_no_key_of_that(
    world: World,
) -> None:
    first, second = on_its_way(world)
    served = world.target.load_releases("demand")[0].spec
    world.steps.metrics["wape"] = 0.95
    world.write(deployment=CANARY, model={"seed": 9})
    assert world.look().kept_out
    world.bad(second)
    world.look()
    assert world.traffic == {first: 100}
    assert world.target.load_releases("demand")[0].spec == served


def test_a_canary_that_fails_gives_its_traffic_back_and_is_kept_out(world: World) -> None:
    first, second = on_its_way(world)
    world.bad(second)
    world.look()
    assert world.traffic == {first: 100}
    assert world.ledger.quarantined_versions == {second}
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
    assert world.ledger.quarantined_versions == frozenset()
    assert world.look().actions == []
    world.well(first)
    world.look()
    assert world.traffic == {first: 100}
    assert world.ledger.quarantined_versions == {second}


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


# --- people ------------------------------------------------------------------------------------------------------------------


def test_a_person_s_rollback_is_held_until_a_person_resumes(world: World) -> None:
    first, second = with_two_versions(world)
    manual_operations.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
    assert world.traffic == {first: 100}
    assert world.target.load_runs("demand")[0].version == first
    world.new_data()
    world.pass_time(days=40)
    world.look()
    assert world.serves == first
    manual_operations.resume_forecast(world.engine(), "demand", "ann")
    world.look()
    assert world.serves == first  # what was rolled back stays in quarantine
    manual_operations.resume_forecast(world.engine(), "demand", "ann", forgive=second)
    world.look()
    assert world.serves == second


def test_a_person_s_rollback_out_of_a_rollout_goes_to_what_served_before_and_not_to_a_canary_that_was_replaced(
    world: World,
) -> None:
    _first, second = on_its_way(world)
    roll_out(world, second)
    world.write(deployment=CANARY, model={"seed": 2})
    world.look()
    (third,) = set(world.traffic) - {second}
    roll_out(world, third)
    world.write(deployment=CANARY, model={"seed": 1})
    world.look()
    assert world.traffic == {third: 90, second: 10}  # the second served everything before, and begins once more
    world.write(deployment=CANARY, model={"seed": 3})
    world.look()
    (fourth,) = set(world.traffic) - {third}
    said = manual_operations.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
    assert world.traffic == {third: 100}
    assert f"{fourth} was replaced by {third}" in said
    assert world.ledger.rollout is None


def test_a_rollback_goes_to_what_once_served_everything_and_not_to_a_canary_that_was_replaced(world: World) -> None:
    first, second, third = replaced_on_its_way(world)
    world.bad(third)
    world.look()
    assert world.traffic == {first: 100}
    assert second not in world.ledger.quarantined_versions


def test_a_rollback_to_the_release_before_passes_over_a_canary_that_was_replaced(world: World) -> None:
    first, _second, third = replaced_on_its_way(world, rollback={"on": ["accuracy"], "to": "previous"})
    world.bad(third)
    world.look()
    assert world.traffic == {first: 100}


def test_a_person_may_name_a_canary_that_was_replaced_and_no_rollback_goes_there_by_itself(world: World) -> None:
    first, second, third = replaced_on_its_way(world)
    preview = preview_rollback(world.engine(), world.spec, 2, no_prediction)
    assert preview.meaning[0] == f"{second} never served everything: another version replaced it in its rollout"
    manual_operations.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
    assert world.traffic == {first: 100}
    manual_operations.resume_forecast(world.engine(), "demand", "ann", forgive=third)
    world.look()
    roll_out(world, third)
    manual_operations.roll_back(world.engine(), world.spec, 2, "ann", "it knows the promotion")
    assert world.traffic == {second: 100}
    assert world.ledger.served_in_part == ()  # now it has served everything


def test_where_only_a_canary_that_was_replaced_is_left_a_person_is_told_how_to_take_it(world: World) -> None:
    first, second, third = replaced_on_its_way(world)
    manual_operations.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
    manual_operations.resume_forecast(world.engine(), "demand", "ann", forgive=third)
    world.look()
    roll_out(world, third)
    with world.target.lock_forecast("demand", "test", "2024-04-01T00:00:00Z", 0.0):
        quarantined = (Quarantine(first, "bad", "2024-04-01T00:00:00Z"),)
        settlement = Settlement("demand", ledger=replace(world.ledger, quarantined=quarantined))
        world.target.record_settlement(settlement, "2024-04-01T00:00:00Z")
    with pytest.raises(Refused, match=f"release 2: {second} never served everything; `--to 2` takes it nevertheless"):
        manual_operations.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
    assert world.traffic == {third: 100}


def test_a_ledger_of_an_older_mlspec_is_completed_from_the_events(world: World) -> None:
    first, _second, third = replaced_on_its_way(world)
    with world.target.lock_forecast("demand", "test", "2024-04-01T00:00:00Z", 0.0):
        settlement = Settlement("demand", ledger=replace(world.ledger, served_in_part=None))
        world.target.record_settlement(settlement, "2024-04-01T00:00:00Z")
    world.bad(third)
    world.look()
    assert world.traffic == {first: 100}


def roll_out(world: World, version: str) -> None:
    """Let a version that is in rollout get all traffic."""
    world.well(version)
    for _ in range(2):
        world.look()
        world.pass_time(hours=2)
    assert world.traffic == {version: 100}


def replaced_on_its_way(world: World, **parts: Any) -> tuple[str, str, str]:
    """A world where a first version served everything, a second one was replaced in its rollout, and a third one serves now."""
    first, second = on_its_way(world)
    world.write(deployment=CANARY, model={"seed": 2}, **parts)
    world.look()
    (third,) = set(world.traffic) - {first}
    assert world.ledger.served_in_part == tuple(sorted((second, third)))
    roll_out(world, third)
    assert world.ledger.served_in_part == (second,)
    return first, second, third


def no_prediction(_request: object) -> Predictions:
    raise StateError("no forecast is compared here")


def test_a_person_s_rollback_that_is_stopped_once_traffic_has_moved_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _second = with_two_versions(world)
    with monkeypatch.context() as patched:
        patched.setattr(world.steps, "forecast", _stop)
        with pytest.raises(StoppedPartWay, match="stopped by SIGINT; traffic has moved, and is held") as stopped:
            manual_operations.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
    assert "the next pass of the loop makes the forecast" in str(stopped.value.hint)
    assert world.traffic == {first: 100}
    world.look()
    assert (world.serves, world.target.load_runs("demand")[0].version) == (first, first)
    assert world.ledger.hold is not None


def _stop(_request: object) -> dict[str, Any]:
    raise KeyboardInterrupt


def test_a_hold_ends_when_the_spec_changes(world: World) -> None:
    first, _second = with_two_versions(world)
    manual_operations.roll_back(world.engine(), world.spec, 1, "ann", "looks odd")
    third = world.promoted(seed=3)
    assert third != first
    assert world.ledger.hold is None


def test_a_rollback_to_what_cannot_serve_is_refused_with_the_reason(world: World) -> None:
    with_two_versions(world)
    with pytest.raises(UsageError, match="no release 9"):
        manual_operations.roll_back(world.engine(), world.spec, 9, "ann", "why")
    with pytest.raises(Refused, match="is what serves now"):
        manual_operations.roll_back(world.engine(), world.spec, 2, "ann", "why")
    manual_operations.roll_back(world.engine(), world.spec, 1, "ann", "why")
    with pytest.raises(Refused, match="in quarantine"):
        manual_operations.roll_back(world.engine(), world.spec, 2, "ann", "why")
    with pytest.raises(Refused, match=r"no earlier good release to roll back to \(.*release 2: .* is in quarantine"):
        manual_operations.roll_back(world.engine(), world.spec, None, "ann", "why")


def test_a_person_s_hold_keeps_what_serves_until_a_person_resumes(world: World) -> None:
    world.look()
    first = world.serves
    manual_operations.hold_forecast(world.engine(), world.spec, "ann", "stock-taking")
    world.bad(first)
    world.look()
    assert world.serves == first  # no alert moves traffic
    assert len(world.target.load_releases("demand")) == 1
    assert world.ledger.hold is not None
    assert (world.ledger.hold.version, world.ledger.hold.by, world.ledger.hold.reason) == (first, "ann", "stock-taking")
    assert "Held" in world.events()
    manual_operations.resume_forecast(world.engine(), "demand", "ann")
    world.pass_time(days=2)
    world.bad(first)
    world.look()
    assert world.serves != first


def test_a_hold_that_would_keep_nothing_is_refused_with_the_reason(world: World) -> None:
    on_its_way(world)
    with pytest.raises(Refused, match="is in rollout, and a hold would not stop it"):
        manual_operations.hold_forecast(world.engine(), world.spec, "ann", "why")
    manual_operations.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
    with pytest.raises(Refused, match=r"is held already, by ann since .*: looks odd"):
        manual_operations.hold_forecast(world.engine(), world.spec, "bob", "why")
    manual_operations.resume_forecast(world.engine(), "demand", "ann")
    world.write(model={"horizon": 5})
    with pytest.raises(Refused, match="asks for forecasts that the version that serves cannot make"):
        manual_operations.hold_forecast(world.engine(), world.spec, "ann", "why")


def test_there_is_nothing_to_resume_where_nothing_is_held(world: World) -> None:
    world.look()
    with pytest.raises(Refused, match="neither held nor stalled"):
        manual_operations.resume_forecast(world.engine(), "demand", "ann")
