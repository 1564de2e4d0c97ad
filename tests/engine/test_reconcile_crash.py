"""kill -9 at every write of a pass: the next passes end where one that was not killed ends, each decision made once."""

from __future__ import annotations

import copy
import random
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlspec.errors import StateError
from tests.engine.test_crash import FOLDER, Killer
from tests.engine.world import CANARY, World, on_its_way, with_two_versions
from tests.forked import in_child, in_children
from tests.moments import tried
from tests.stores import Home

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.no_cover,  # the same way again, for every write
]
TOLD = [{"pubsub": None, "webhook": {"secret": "oncall"}, "severity": "info"}]
Story = Callable[[World], object]


def fresh(world: World) -> None:
    world.write(notify=TOLD)


def turns_bad(world: World) -> None:
    world.write(notify=TOLD)
    _first, second = with_two_versions(world)
    world.bad(second)


def nothing_good_is_left(world: World) -> None:
    world.write(notify=TOLD)
    world.look()
    world.bad(world.serves)


def attempts_are_used_up(world: World) -> None:
    world.write(notify=TOLD, rollback={"on": ["accuracy"], "max_attempts": 1})
    _first, second = with_two_versions(world)
    world.bad(second)
    world.look()
    world.pass_time(days=2)
    world.bad(world.promoted(seed=2))


def canary_begins(world: World) -> None:
    world.write(notify=TOLD, deployment=CANARY)
    world.look()
    world.write(notify=TOLD, deployment=CANARY, model={"seed": 1})


def canary_goes_on(world: World) -> None:
    _first, second = on_its_way(world)
    world.well(second)


def canary_fails(world: World) -> None:
    _first, second = on_its_way(world)
    world.bad(second)


def training_is_due(world: World) -> None:
    world.write(
        schedule={"forecast": None, "retrain": "0 4 * * *", "timezone": "UTC"}, budget={"trainings_per_week": 5}
    )
    world.look()
    world.new_data()
    world.pass_time(days=1)


STORIES: tuple[Story, ...] = (
    fresh, turns_bad, nothing_good_is_left, attempts_are_used_up, canary_begins, canary_goes_on, canary_fails, training_is_due,
)  # fmt: skip


def moved(world: World, folder: Path, home: Home | None = None) -> World:
    """The same world in another folder."""
    other = copy.copy(world)
    other.root = folder
    other.steps = copy.deepcopy(world.steps)
    (home.copy if home else shutil.copytree)(world.root, folder)
    return other


def killed_at(world: World, point: int, home: Home = FOLDER, report: Path | None = None) -> int:
    def work() -> None:
        killer = Killer(point, home)
        killer.install()
        world.look()
        if report:
            report.write_text(str(killer.count))

    return in_child(work)


def outcome(world: World) -> dict[str, Any]:
    """Where a world ended, times left out."""
    ledger, target = world.ledger, world.target
    return {
        "traffic": world.traffic,
        "bad": ledger.quarantined_versions,
        "rollbacks": [(each.version, each.to) for each in ledger.rollbacks],
        "hold": ledger.hold and (ledger.hold.version, ledger.hold.by),
        "rollout": ledger.rollout and (ledger.rollout.version, ledger.rollout.stable_version, ledger.rollout.step),
        "versions": sorted(version.version for version in target.load_versions("demand")),
        "releases": [(release.release, release.version) for release in target.load_releases("demand")],
        "alerts": [(each.name, each.state) for each in ledger.alerts],
        "told": sorted((each.notice.kind, each.notice.state) for each in target.load_undelivered_notices("demand")),
        "whole": all(seen.damage is None for seen in world.observed.resources.values()),
        "failed": ledger.failure,
    }


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_pass_that_is_killed_anywhere_is_made_good_by_the_next(tmp_path: Path, story: Story) -> None:
    killed_anywhere(tmp_path, story, FOLDER)


def test_a_rollback_of_a_team_that_is_killed_anywhere_is_made_good_by_the_next(tmp_path: Path, team: Home) -> None:
    killed_anywhere(tmp_path, turns_bad, team)


def killed_anywhere(tmp_path: Path, story: Story, home: Home) -> None:
    before = World(tmp_path / "before", home)
    story(before)
    straight = moved(before, tmp_path / "straight", home)
    count_file = tmp_path / "count"
    assert killed_at(moved(before, tmp_path / "probe", home), 0, home, count_file) == 0
    straight.look()
    straight.look()
    wanted = outcome(straight)
    for point in tried(range(1, int(count_file.read_text()) + 1)):
        world = moved(before, tmp_path / f"at-{point}", home)
        assert killed_at(world, point, home) == -9
        world.look()
        world.look()
        assert outcome(world) == wanted, f"killed at write {point}"
        still = world.state()
        world.look()
        assert world.state() == still, f"killed at write {point}"
        home.leave(world.root)


def test_two_passes_that_are_killed_one_after_the_other_are_made_good_too(tmp_path: Path) -> None:
    before = World(tmp_path / "before")
    turns_bad(before)
    straight = moved(before, tmp_path / "straight")
    straight.look()
    straight.look()
    wanted = outcome(straight)
    chance = random.Random(4)
    for number in range(5):
        world = moved(before, tmp_path / f"pair-{number}")
        for _ in range(2):
            killed_at(world, chance.randint(1, 20))
        world.look()
        world.look()
        assert outcome(world) == wanted


@pytest.mark.parametrize("room", [-100_000, -80_000, 0])
def test_a_pass_on_a_full_disk_is_made_good_once_there_is_room(tmp_path: Path, room: int) -> None:
    """No file may grow beyond the state file and so many bytes: the state's journal, or the state itself, cannot be written."""
    before = World(tmp_path / "before")
    turns_bad(before)
    straight = moved(before, tmp_path / "straight")
    for world in (straight, moved(before, tmp_path / "full")):
        if world is not straight:
            limit = (world.root / ".mlspec/state.db").stat().st_size + room

            def on_a_full_disk(world: World = world, limit: int = limit) -> None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                error = world.look().error
                assert isinstance(error, StateError)
                assert "check the disk" in (error.hint or "")

            assert in_child(on_a_full_disk) == 0
        for _ in range(3):
            world.pass_time(minutes=2)
            world.look()
    assert outcome(world) == outcome(straight)


def test_many_loops_at_once_roll_back_once(tmp_path: Path, home: Home) -> None:
    before = World(tmp_path / "before", home)
    turns_bad(before)
    straight = moved(before, tmp_path / "straight", home)
    straight.look()
    straight.look()
    wanted = outcome(straight)

    for number in range(1 if home.server else 3):
        world = moved(before, tmp_path / f"crowd-{number}", home)
        assert in_children([world.look] * 12) == [0] * 12
        world.look()
        assert outcome(world) == wanted
