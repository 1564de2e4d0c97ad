"""A clock that is once a year ahead: work goes on within a bounded time, nothing is done twice, and it is said."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mlspec.cli.commands.status import as_json
from mlspec.cli.status_text import as_text
from mlspec.engine import manual_operations
from mlspec.engine.status import find_status
from mlspec.plan.clock import TOLERANCE
from mlspec.plan.moments import format_moment, parse_moment
from mlspec.state.observed import Settlement
from tests.engine.world import World, on_its_way, with_two_versions

DAILY = {"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"}
YEAR = timedelta(days=365)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@contextmanager
def ahead(world: World) -> Iterator[None]:
    """The clock of the machine is a year ahead, and then right again."""
    world.now += YEAR
    yield
    world.now -= YEAR


def runs(world: World) -> int:
    """How many forecasts were made."""
    return len(world.target.load_runs("demand"))


def status(world: World) -> str:
    """What `mlspec status` says now."""
    return as_text([find_status(world.target, "demand", world.now)])


def test_a_pass_a_year_ahead_silences_no_forecast(world: World) -> None:
    world.write(schedule=DAILY)
    world.look()
    with ahead(world):
        world.new_data()
        world.look()
    assert runs(world) == 2
    said = status(world)
    assert "a clock was ahead" in said
    assert "slots.forecast" in said
    world.new_data()
    world.look()  # mends the record; today's run was made, by the wrong clock
    assert runs(world) == 2
    assert world.events().count("ClockCorrected") == 1
    assert "a clock was ahead" not in status(world)
    for made in (3, 4):
        world.new_data()
        world.pass_time(days=1)
        world.look()
        assert runs(world) == made
    assert world.events().count("ClockCorrected") == 1


def test_a_forecast_that_was_first_applied_a_year_ahead_is_made_again(world: World) -> None:
    world.write(schedule=DAILY)
    with ahead(world):
        world.look()
    world.look()
    world.new_data()
    world.pass_time(days=1)
    world.look()
    assert runs(world) == 2


def test_the_next_run_in_status_is_one_that_is_made_also_after_the_clock_was_set_back(world: World) -> None:
    world.write(schedule=DAILY)
    world.look()
    world.new_data()
    world.pass_time(days=1)
    world.look()
    world.pass_time(days=-1)
    promised = find_status(world.target, "demand", world.now).next_run
    assert promised is not None
    made = runs(world)
    while format_moment(world.now) < promised:
        world.new_data()
        world.look()
        assert runs(world) == made
        world.pass_time(hours=6)
    world.look()
    assert runs(world) == made + 1


def test_a_rollback_a_year_ahead_does_not_hold_up_the_next_one(world: World) -> None:
    _, second = with_two_versions(world)
    with ahead(world):
        world.bad(second)
        world.look()
    third = world.promoted(seed=3)
    world.pass_time(days=2)  # longer than the cooldown
    world.bad(third)
    world.look()
    assert world.serves != third


def test_a_rollout_that_began_a_year_ahead_takes_its_next_step(world: World) -> None:
    with ahead(world):
        _, new = on_its_way(world)
    world.look()
    before = world.traffic[new]
    world.well(new)
    world.pass_time(hours=2)
    world.look()
    assert world.traffic[new] > before


def test_trainings_of_next_year_do_not_use_up_the_budget(world: World) -> None:
    world.write(
        schedule={"forecast": None, "retrain": "0 4 * * *", "timezone": "UTC"}, budget={"trainings_per_week": 1}
    )
    world.look()
    with ahead(world):
        world.new_data()
        world.look()
    assert len(world.target.load_versions("demand")) == 2
    world.look()
    world.new_data()
    world.pass_time(days=8)
    world.look()
    assert len(world.target.load_versions("demand")) == 3


def test_data_that_looked_old_to_a_wrong_clock_is_looked_at_again(world: World) -> None:
    world.look()
    world.new_data()
    with ahead(world):
        world.steps.data_ok = False
        assert world.look().status == "failed"
    world.steps.data_ok = True
    assert world.look().status == "done"


def test_a_silence_of_next_year_ends_after_its_time(world: World) -> None:
    world.look()
    with ahead(world):
        manual_operations.silence_alert(
            world.engine(), "demand", alert="accuracy", span=timedelta(days=1), by="ann", reason="noise"
        )
    world.look()
    assert world.ledger.silences[0].until == "2024-03-02T00:00:00Z"


def test_an_apply_corrects_the_record_too(world: World) -> None:
    from mlspec.engine.apply import apply_specs

    world.write(schedule=DAILY)
    with ahead(world):
        world.look()
        world.new_data()
        world.look()
    world.new_data()
    apply_specs(world.engine(), [world.spec])
    assert "ClockCorrected" in world.events()


def test_status_as_json_names_the_problem(world: World) -> None:
    world.look()
    world.target.record_settlement(
        Settlement("demand", ledger=replace(world.ledger, slots={"forecast": "2033-01-01T00:00:00Z"})), "t"
    )
    found = as_json(find_status(world.target, "demand", datetime(2024, 3, 1, tzinfo=UTC)))
    assert "slots.forecast" in found["problems"][0]


class WrongClock(RuleBasedStateMachine):
    """A daily forecast whose data comes in every day, under a clock that is now and then far ahead for one pass."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(self.folder, schedule=DAILY)
        self.world.look()
        self.days_right = 0  # since the clock was last ahead

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule()
    def a_day_goes_by(self) -> None:
        before = runs(self.world)
        self.world.new_data()
        self.world.pass_time(days=1)
        self.world.look()
        made = runs(self.world) - before
        self.days_right += 1
        assert made == 1 or (made == 0 and self.days_right <= TOLERANCE / timedelta(days=1)), "work did not go on"
        assert self.world.look().actions == [], "a moment was handled twice"

    @rule(days=st.sampled_from([1, 2, 3, 40, 365, 3650]))
    def a_pass_is_made_ahead(self, days: int) -> None:
        self.world.pass_time(days=days)
        self.world.look()
        self.world.pass_time(days=-days)
        self.days_right = 0

    @rule()
    def a_pass_is_made(self) -> None:
        assert self.world.look().error is None

    @invariant()
    def what_the_next_pass_will_not_believe_is_said(self) -> None:
        stored = [parse_moment(at) for at in self.world.ledger.slots.values()]
        if any(at > self.world.now + TOLERANCE for at in stored):
            assert "a clock was ahead" in status(self.world)


TestWrongClock = WrongClock.TestCase
TestWrongClock.settings = settings(
    max_examples=6, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
)
