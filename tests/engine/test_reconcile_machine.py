"""Whatever happens in whatever order, the loop keeps its rules: hypothesis plays the world, and looks after every step."""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mlspec.engine import manual_operations
from mlspec.errors import Refused
from mlspec.plan.moments import parse_moment
from mlspec.plan.serving import active_hold
from tests.engine.world import World

pytestmark = pytest.mark.no_cover  # the same ways again, in any order
MOST, COOLDOWN = 2, timedelta(hours=24)
CANARY = {"serve": "batch", "rollout": {"strategy": "canary", "steps": [20, 100], "interval": "1h"}}
AT_ONCE = {"serve": "batch", "rollout": {"strategy": "all-at-once", "steps": [], "interval": "1h"}}
WAPES = st.sampled_from([0.05, 0.1, 0.3, 0.9, None, float("nan")])


class Loop(RuleBasedStateMachine):
    """A forecast whose versions turn out well or badly, under people who commit, hold, forgive and silence."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(self.folder)
        self.seed, self.rollout = 0, AT_ONCE
        self.ever_bad: set[str] = set()
        self.releases = 0
        self.clock_is_right = True
        self.serving_before: frozenset[str] = frozenset()
        self.commit()
        self.world.look()
        self.after_pass()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def commit(self) -> None:
        self.world.write(
            model={"seed": self.seed},
            deployment=self.rollout,
            rollback={"on": ["accuracy"], "max_attempts": MOST, "cooldown": "24h"},
        )

    # --- what happens ---------------------------------------------------------------------------------------------------------

    @rule(hours=st.integers(1, 80))
    def time_goes_by(self, hours: int) -> None:
        self.world.pass_time(hours=hours)

    @rule(days=st.sampled_from([-1, 1]))
    def the_clock_jumps(self, days: int) -> None:
        self.world.pass_time(days=days)
        self.clock_is_right = False

    @rule()
    def data_comes_in(self) -> None:
        self.world.new_data()

    @rule(wape=WAPES, about=st.integers(0, 3))
    def evidence_comes_in(self, wape: float | None, about: int) -> None:
        """About what serves, or about one of the versions before it: late, or out of order."""
        names = [version.version for version in self.world.target.load_versions("demand")][:4]
        self.world.steps.well[names[about % len(names)]] = None if wape != wape else wape
        self.world.pass_time(days=1)

    @rule(canary=st.booleans())
    def another_spec_is_committed(self, canary: bool) -> None:
        self.seed += 1
        self.rollout = CANARY if canary else AT_ONCE
        self.commit()

    @precondition(lambda self: self.seed > 0)
    @rule()
    def the_last_spec_comes_back(self) -> None:
        self.seed -= 1
        self.commit()

    @rule()
    def a_person_rolls_back(self) -> None:
        try:
            manual_operations.roll_back(self.world.engine(), self.world.spec, None, "ann", "an exercise")
        except Refused:
            return
        self.after_pass()

    @rule()
    def a_person_resumes(self) -> None:
        try:
            manual_operations.resume_forecast(self.world.engine(), "demand", "ann")
        except Refused:
            return

    @rule(days=st.integers(1, 3))
    def a_person_silences(self, days: int) -> None:
        manual_operations.silence_alert(
            self.world.engine(), "demand", alert="accuracy", span=timedelta(days=days), by="ann", reason="noise"
        )

    @rule()
    def a_pass_is_made(self) -> None:
        before = self.world.ledger
        held = active_hold(before, self.world.spec.spec_hash)
        bad_before, evidence = before.quarantined_versions, dict(self.world.steps.well)
        found = self.world.look()
        assert found.error is None
        after = self.world.ledger
        new = [each for each in after.rollbacks if each not in before.rollbacks]
        assert len(new) <= 1
        for each in new:
            assert evidence.get(each.version) is not None, "a version was rolled back without evidence of its own"
            assert evidence[each.version] > 0.2  # type: ignore[operator]
            assert held is None, "a held release was moved"
            instead = evidence.get(each.to)
            if instead is not None and each.incident != "rollout":
                assert instead <= 0.2 or instead - 0.2 <= (evidence[each.version] - 0.2) / 2, "it mended too little"  # type: ignore[operator]
            assert len(before.rollbacks) < MOST or each.incident == "rollout"
            last = before.rollbacks[-1] if before.rollbacks else None
            if last and self.clock_is_right and each.incident != "rollout":
                assert parse_moment(each.at) - parse_moment(last.at) >= COOLDOWN
        assert not (set(self.world.traffic) & bad_before), "a version in quarantine serves again"
        if held:
            assert self.world.traffic == {held.version: 100}
        self.after_pass()

    @rule()
    def passes_are_made_until_all_is_quiet(self) -> None:
        for _ in range(4):
            self.a_pass_is_made()
        still = self.world.state()
        assert self.world.look().actions == []
        assert self.world.state() == still, "a pass with nothing new to see wrote something"

    # --- what always holds ----------------------------------------------------------------------------------------------------

    def after_pass(self) -> None:
        self.ever_bad |= self.world.ledger.quarantined_versions
        numbers = [release.release for release in self.world.target.load_releases("demand")]
        assert numbers == sorted(set(numbers), reverse=True)
        assert len(numbers) >= self.releases
        self.releases = len(numbers)

    @invariant()
    def something_serves_and_shares_sum_to_100(self) -> None:
        assert self.world.traffic  # which checks the sum
        assert self.world.observed.resources["forecast"].damage is None

    @invariant()
    def nobody_forgets_a_quarantine(self) -> None:
        assert self.ever_bad <= self.world.ledger.quarantined_versions

    @invariant()
    def each_incident_acts_once_on_a_version(self) -> None:
        acted = self.world.ledger.acted
        assert len(acted) == len(set(acted))


TestLoop = Loop.TestCase
TestLoop.settings = settings(
    max_examples=25, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
)
