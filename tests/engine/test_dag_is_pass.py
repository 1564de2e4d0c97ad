"""One history, played by the loop, by the steps of a rendered DAG, and by both in turn, ends with the same record."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlspec.engine import manual_operations
from mlspec.engine.loop import follow_work, reconcile_specs
from mlspec.engine.pass_result import PassResult
from mlspec.errors import MlspecError, TargetError
from mlspec.state.step import Progress, StepRequest, StepResult
from tests.engine.dag_run import DagRun, play
from tests.engine.world import CANARY, Turned, World
from tests.examples import sales

pytestmark = pytest.mark.no_cover  # the same ways again, in any order
AT_ONCE = {"serve": "batch", "rollout": {"strategy": "all-at-once", "steps": [], "interval": "1h"}}
DAILY = {"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"}
BOTH = {"forecast": "0 6 * * *", "retrain": "0 4 * * *", "timezone": "UTC"}
FREELY = {"forecast": None, "retrain": None, "timezone": "UTC"}


class Faulty(Turned):
    """Steps of which one ends with an error: for good, or one that may pass."""

    def __init__(self) -> None:
        super().__init__()
        self.out_of_reach: str | None = None

    def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
        if request.step == self.out_of_reach:
            raise TargetError(f"{request.step} cannot be reached", hint="try again")
        return super().__call__(request, progress)


class Story:
    """A world, and what people, data and machines do to it. The same actions in two stories are the same history."""

    def __init__(self, world: World, makers: tuple[Callable[[World], Any], ...]) -> None:
        self.world = world
        self.world.steps = Faulty()
        self.makers, self.made = makers, 0
        self.parts: dict[str, Any] = {"rollback": {"on": ["accuracy"], "cooldown": "1h"}}

    @property
    def steps(self) -> Faulty:
        assert isinstance(self.world.steps, Faulty)
        return self.world.steps

    def commit(self, **parts: Any) -> None:
        self.parts |= parts
        self.world.write(**self.parts)

    def data(self, what: str) -> None:
        """Let data come in that is good or bad, or let the file be taken away or brought back."""
        file = self.world.root / "data/sales.csv"
        if what == "gone":
            file.unlink(missing_ok=True)
        elif what == "back":
            file.write_text(sales(days=self.world.days))
        else:
            self.steps.data_ok = what == "good"
            self.world.new_data()

    def fault(self, step: str | None, passes: bool) -> None:
        self.steps.fails, self.steps.out_of_reach = (None, step) if passes else (step, None)

    def gate(self, wape: float) -> None:
        """Say how new versions do in a backtest: above 0.9 the gate keeps them out."""
        self.steps.metrics = {**self.steps.metrics, "wape": wape}

    def evidence(self, wape: float | None, about: int) -> None:
        names = [version.version for version in self.world.target.load_versions("demand")]
        if names:
            self.steps.well[names[about % len(names)]] = wape

    def person(self, does: str) -> None:
        engine = self.world.engine()
        try:
            if does == "rolls back":
                manual_operations.roll_back(engine, self.world.spec, None, "ann", "a drill")
            elif does == "resumes":
                manual_operations.resume_forecast(engine, "demand", "ann")
            else:
                manual_operations.silence_alert(
                    engine, "demand", alert="accuracy", span=timedelta(days=1), by="ann", reason="noise"
                )
        except MlspecError:  # a person may ask for what cannot be
            return

    def run(self, hours: int) -> Any:
        """Let time go by, and make a pass."""
        self.world.pass_time(hours=hours)
        maker = self.makers[self.made % len(self.makers)]
        self.made += 1
        return maker(self.world)

    def record(self) -> dict[str, Any]:
        """Everything that is recorded and that anybody decides by or reads."""
        target, observed = self.world.target, self.world.observed
        return {
            "releases": target.load_releases("demand"),
            "versions": target.load_versions("demand"),
            "forecasts": target.load_runs("demand"),
            "ledger": observed.ledger,
            "conditions": sorted(observed.conditions, key=lambda each: each.type),
            "resources": observed.resources,
            "events": target.load_events("demand"),
            "notices": target.load_undelivered_notices("demand"),
        }


def loop_pass(world: World) -> PassResult:
    """Make a pass, and those that go on with long work that it started, where there is any."""
    (found,) = reconcile_specs(world.engine(), [world.spec])
    for (followed,) in follow_work(world.engine(), [world.spec], [found], 60):
        found = followed
    return found


MAKERS: dict[str, tuple[Callable[[World], Any], ...]] = {
    "loop": (loop_pass,), "dag": (play,), "both": (play, loop_pass),
}  # fmt: skip
ACTIONS = st.one_of(
    st.tuples(st.just("data"), st.sampled_from(["good", "good", "good", "bad", "gone", "back"])),
    st.tuples(st.just("run"), st.sampled_from([0, 1, 7, 24, 80])),
    st.tuples(st.just("run"), st.sampled_from([0, 1, 7, 24, 80])),
    st.tuples(st.just("run"), st.sampled_from([0, 1, 7, 24, 80])),
    st.tuples(
        st.just("fault"),
        st.sampled_from([None, None, "check", "backtest", "train", "forecast", "inventory", "evaluate"]),
        st.booleans(),
    ),
    st.tuples(st.just("gate"), st.sampled_from([0.1, 0.1, 0.95])),
    st.tuples(st.just("evidence"), st.sampled_from([0.05, 0.1, 0.3, 0.9, None]), st.integers(0, 3)),
    st.tuples(st.just("person"), st.sampled_from(["rolls back", "resumes", "silences"])),
    st.tuples(
        st.just("commit"),
        st.one_of(
            st.builds(lambda seed: {"model": {"seed": seed}}, st.integers(0, 2)),
            st.builds(lambda mode: {"reconcile": {"mode": mode}}, st.sampled_from(["enforce", "observe", "pause"])),
            st.builds(lambda kind: {"reconcile": {"resources": {kind: "observe"}}}, st.sampled_from(
                ["model", "deployment", "forecast"]
            )),
            st.builds(lambda most: {"budget": {"trainings_per_week": most}}, st.sampled_from([0, 1, None])),
            st.builds(lambda schedule: {"schedule": schedule}, st.sampled_from([DAILY, BOTH, FREELY])),
            st.builds(lambda rollout: {"deployment": rollout}, st.sampled_from([CANARY, AT_ONCE])),
        ),
    ),
)  # fmt: skip


def perform(story: Story, action: tuple[Any, ...]) -> Any:
    name, *words = action
    if name == "commit":
        return story.commit(**words[0])
    return getattr(story, name)(*words)


BAD_VERSION = [
    ("run", 0), ("evidence", 0.1, 0), ("run", 24), ("commit", {"model": {"seed": 1}}), ("run", 1), ("evidence", 0.9, 0),
    ("run", 24),
]  # fmt: skip
KEPT_OUT = [("commit", {"schedule": BOTH}), ("run", 0), ("gate", 0.95), ("data", "good"), ("run", 24), ("run", 24)]
REFUSED = [
    ("run", 0),
    ("evidence", 0.1, 0),
    ("run", 24),
    ("data", "bad"),
    ("evidence", 0.9, 0),
    ("run", 24),
    ("run", 24),
]
BUDGET = [
    ("commit", {"schedule": BOTH, "budget": {"trainings_per_week": 1}}), ("run", 0), ("data", "good"), ("run", 24),
    ("data", "good"), ("run", 24), ("run", 80), ("run", 80),
]  # fmt: skip
MISSING = [("commit", {"schedule": BOTH}), ("run", 0), ("data", "gone"), ("run", 24), ("data", "back"), ("run", 24)]
UNREACHED = [
    ("commit", {"schedule": BOTH}), ("run", 0), ("data", "good"), ("fault", "train", True), ("run", 24), ("fault", None, True),
    ("run", 1), ("run", 24),
]  # fmt: skip
ASKED_BY_AN_ALERT = [
    ("run", 0), ("evidence", 0.9, 0), ("run", 24), ("data", "good"), ("run", 24), ("run", 24), ("data", "good"), ("run", 24),
]  # fmt: skip


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ACTIONS, min_size=6, max_size=18))
@example(BAD_VERSION)
@example(KEPT_OUT)
@example(REFUSED)
@example(BUDGET)
@example(MISSING)
@example(UNREACHED)
@example(ASKED_BY_AN_ALERT)
def test_the_loop_the_steps_and_both_in_turn_end_alike(history: list[tuple[Any, ...]]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        loop, dag, both = (Story(World(folder / name), makers) for name, makers in MAKERS.items())
        for action in [*history, ("run", 1)]:
            passed, ran, _ = (perform(story, action) for story in (loop, dag, both))
            if action[0] == "run":
                expected = loop.record()
                assert dag.record() == expected, ran
                assert both.record() == expected
                assert_as_well(passed, ran)
    finally:
        shutil.rmtree(folder)


def assert_as_well(passed: PassResult, ran: DagRun) -> None:
    """Where a pass ends badly, so does the run; a run is also red while failed work waits, which a pass says in words."""
    waits = any("failed work" in reason for reason in passed.waits)
    assert ran.is_green == (passed.error is None and not passed.kept_out and not waits), (passed, ran)
