"""A new version takes over step by step: whatever the evidence says, all traffic is given to somebody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.comparison import comparison_note
from mlspec.plan.rollout import (
    ROLLOUT,
    Abort,
    Shift,
    Wait,
    next_rollout_step,
    rollout_verdict,
    step_shares,
    traffic_split,
)
from mlspec.state.ledger import Ledger, RolloutProgress
from tests.engine.test_request_counts import ERRORS
from tests.engine.world import ACCURACY
from tests.examples import forecast_spec

T = "2024-03-01T00:00:00Z"
STEPS = st.lists(st.integers(1, 99), unique=True, max_size=5).map(lambda steps: [*sorted(steps), 100])
ROLLOUTS = st.one_of(
    st.builds(lambda steps: {"strategy": "canary", "steps": steps, "interval": "1h"}, STEPS),
    st.just({"strategy": "blue-green", "steps": [], "interval": "1h"}),
)
EVIDENCE = st.sampled_from(["ok", "firing", "pending", "no-data", None])


@given(rollout=ROLLOUTS, evidence=st.lists(st.tuples(EVIDENCE, st.integers(0, 3)), max_size=20))
def test_whatever_the_evidence_says_shares_sum_to_100_and_the_stable_version_is_one_of_them(
    rollout: dict[str, object], evidence: list[tuple[str | None, int]]
) -> None:
    spec = forecast_spec(alerts=[ACCURACY], rollback={"on": ["accuracy"]}, deployment={"rollout": rollout})
    under_way = RolloutProgress("new", 2, "old", 1, 0, T, T)
    served = [step_shares(spec.deployment.rollout)[0]]
    for state, hours in evidence:
        now = f"2024-03-01T{hours:02}:00:00Z"
        ledger = Ledger(own={"accuracy": {"new": state}} if state else {})
        found = next_rollout_step(under_way, spec, ledger, now)
        if state == "firing":
            assert isinstance(found, Abort)
            return
        if state != "ok" or hours < 1:
            assert isinstance(found, Wait)
            continue
        assert isinstance(found, Shift)
        assert found.percent >= served[-1]
        served.append(found.percent)
        traffic = traffic_split("new", "old", found.percent)
        assert sum(traffic.values()) == 100
        assert ("old" in traffic) == (found.percent < 100)
        if found.percent == 100:
            return
        under_way = RolloutProgress("new", 2, "old", 1, under_way.step + 1, T, T)


@pytest.mark.parametrize(("own", "follows"), [
    ({"accuracy": "firing", "errors": "ok"}, Wait),  # nothing that serves would have done better
    ({"accuracy": "firing", "errors": "firing"}, Abort),  # whose server fails is given up, however it forecasts
    ({"accuracy": "ok", "errors": "firing"}, Abort),
], ids=str)  # fmt: skip
def test_a_version_that_was_weighed_well_is_given_up_all_the_same_where_its_server_fails(
    own: dict[str, str], follows: type[Wait | Abort]
) -> None:
    rollout = {"strategy": "canary", "steps": [10, 100], "interval": "1h"}
    spec = forecast_spec(
        alerts=[ACCURACY, ERRORS],
        rollback={"on": ["accuracy", "errors"]},
        deployment={"serve": "both", "rollout": rollout},
    )
    ledger = Ledger(
        own={name: {"new": state} for name, state in own.items()},
        acted=(comparison_note(ROLLOUT, "new", "e"),),
        evaluated="e",
    )
    found = next_rollout_step(RolloutProgress("new", 2, "old", 1, 0, T, T), spec, ledger, T)
    assert isinstance(found, follows)
    if isinstance(found, Abort):
        assert found.alerts[0] == "errors"


@pytest.mark.parametrize(
    ("state", "one", "several"),
    [
        ("firing", "a fires on what v2 forecast", "a, b fire on what v2 forecast"),
        ("pending", "a has too little data on v2 yet", "a, b have too little data on v2 yet"),
        ("ok", "a is within its threshold", "a, b are within their thresholds"),
    ],
)
def test_the_reason_of_a_verdict_is_a_sentence_for_one_alert_and_for_several(
    state: str, one: str, several: str
) -> None:
    ledger = Ledger(own={name: {"v2": state} for name in "ab"})
    assert rollout_verdict("a", ledger, "v2")[1] == one
    assert rollout_verdict("ab", ledger, "v2")[1] == several
