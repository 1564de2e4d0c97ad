"""What servers counted, in the loop: noticed in the next pass, judged by version, and nothing written where it says nothing new."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.plan.moments import format_moment
from mlspec.state.request_counts import LATENCIES, RequestCount
from tests.engine.world import World

ERRORS = {
    "name": "errors", "metric": "error_rate", "above": 0.01, "below": None, "outside": None, "window": None, "for": None,
    "by": [], "baseline": None, "severity": "critical", "inhibits": [],
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, alerts=[ERRORS], rollback={"on": ["errors"]})
    world.look()
    return world


def count(world: World, requests: int, errors: int, version: str | None = None) -> None:
    """Let a server have answered in the minute before."""
    world.pass_time(minutes=1)
    took = (requests, *([0] * len(LATENCIES)))
    minute = f"{format_moment(world.now)[:16]}:00Z"
    world.target.add_request_counts([RequestCount("demand", version or world.serves, minute, requests, errors, took)])


def state(world: World) -> str:
    found = world.ledger.find_alert("errors")
    assert found
    return found.state


def test_without_requests_it_is_not_known_how_a_server_does(world: World) -> None:
    assert state(world) == "no-data"


def test_new_counts_are_judged_in_the_next_pass_and_more_of_the_same_write_nothing(world: World) -> None:
    count(world, 100, 0)
    world.look()
    assert state(world) == "ok"
    count(world, 100, 0)
    before = world.state()
    assert world.look().status == "nothing"
    assert world.state() == before
    count(world, 100, 50)
    assert any(line.startswith("rolled back") for line in world.look().actions)


def test_the_version_that_fails_gives_way_and_its_failures_are_no_longer_told(world: World) -> None:
    first = world.serves
    count(world, 100, 0)
    world.look()
    world.write(alerts=[ERRORS], rollback={"on": ["errors"]}, model={"seed": 1})
    world.look()
    second = world.serves
    assert second != first
    count(world, 100, 40, second)
    assert any(line.startswith("rolled back") for line in world.look().actions)
    assert world.serves == first
    assert state(world) == "resolved"


def test_failures_of_an_earlier_version_move_nothing(world: World) -> None:
    first = world.serves
    world.write(alerts=[ERRORS], rollback={"on": ["errors"]}, model={"seed": 1})
    world.look()
    second = world.serves
    count(world, 100, 40, first)
    world.look()
    assert (state(world), world.serves) == ("firing", second)


def test_an_incident_whose_counts_are_gone_is_not_over(world: World) -> None:
    world.write(alerts=[ERRORS], rollback={"on": []})
    count(world, 100, 40)
    world.look()
    assert state(world) == "firing"
    world.pass_time(hours=2)
    world.look()
    assert state(world) == "no-data"
    count(world, 100, 0)
    world.look()
    assert state(world) == "resolved"
