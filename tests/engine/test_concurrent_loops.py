"""Several runs at once: one works, the others wait or say who works; two forecasts never block each other."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from mlspec.engine.apply import apply_specs
from mlspec.errors import Exit, LockHeld
from tests.engine.steps import engine, spec
from tests.engine.world import World
from tests.forked import in_child, in_children
from tests.stores import Home

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def test_a_held_lock_names_its_holder(tmp_path: Path, home: Home) -> None:
    root = home.project(tmp_path / "p")
    with engine(root).target.lock_forecast("demand", "apply", "2024-03-01T00:00:00Z", 0.0):
        (outcome,) = apply_specs(engine(root), [spec()])
    assert outcome.exit_code == Exit.LOCKED
    assert isinstance(outcome.error, LockHeld)
    assert f"pid {os.getpid()} on " in outcome.error.message
    assert "since 2024-03-01T00:00:00Z" in outcome.error.message


def test_a_pass_of_the_loop_leaves_a_held_forecast_to_its_holder(tmp_path: Path, home: Home) -> None:
    world = World(tmp_path, home)
    with world.target.lock_forecast("demand", "apply", "2024-03-01T00:00:00Z", 0.0):
        found = world.look()
    assert isinstance(found.error, LockHeld)
    assert (world.steps.asked, world.observed.resources) == ([], {})
    assert world.look().error is None


def test_whoever_waits_for_a_lock_logs_for_whom(tmp_path: Path, home: Home, caplog: pytest.LogCaptureFixture) -> None:
    root = home.project(tmp_path / "p")
    with (
        engine(root).target.lock_forecast("demand", "apply", "2024-03-01T00:00:00Z", 0.0),
        caplog.at_level(logging.INFO),
    ):
        apply_specs(engine(root), [spec()], lock_timeout=0.01)
    (waiting,) = [each.getMessage() for each in caplog.records if "waiting" in each.getMessage()]
    assert waiting.startswith("waiting up to 0.01 s for the lock of demand: apply by ")


def test_another_forecast_is_not_held_up(tmp_path: Path, home: Home) -> None:
    root = home.project(tmp_path / "p")
    with engine(root).target.lock_forecast("other", "apply", "t", 0.0):
        (outcome,) = apply_specs(engine(root), [spec()])
    assert outcome.status == "applied"


def test_a_holder_that_died_holds_nothing(tmp_path: Path, home: Home) -> None:
    root = home.project(tmp_path / "p")

    def die_holding() -> None:
        engine(root).target.lock_forecast("demand", "apply", "t", 0.0).__enter__()
        os._exit(9)

    assert in_child(die_holding) == 9
    (outcome,) = apply_specs(engine(root), [spec()])
    assert outcome.status == "applied"


def test_a_crowd_makes_one_version(tmp_path: Path, home: Home) -> None:
    root = home.project(tmp_path / "p")
    assert in_children([lambda: apply_specs(engine(root), [spec()], lock_timeout=60.0)[0].exit_code] * 8) == [0] * 8
    target = engine(root).target
    assert (
        len(target.load_versions("demand")),
        len(target.load_releases("demand")),
        len(target.load_runs("demand")),
    ) == (1, 1, 1)
