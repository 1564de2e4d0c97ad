"""An alert fires when enough evaluations agree; without data it is neither good nor bad."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlspec.plan.thresholds import is_broken, judge_alert
from mlspec.spec.metrics import METRICS, Metric
from tests.examples import alert_of as alert


@pytest.mark.parametrize(("words", "value", "broken"), [
    ({"above": 0.2}, 0.21, True), ({"above": 0.2}, 0.2, False), ({"below": 0.7}, 0.69, True), ({"below": 0.7}, 0.7, False),
    ({"outside": [-0.1, 0.1]}, -0.11, True), ({"outside": [-0.1, 0.1]}, 0.11, True), ({"outside": [-0.1, 0.1]}, 0.0, False),
    ({"above": "10d"}, 864_001.0, True), ({"above": "10d"}, 864_000.0, False), ({"above": 0.2}, None, None),
])  # fmt: skip
def test_a_value_breaks_a_threshold_only_beyond_it(
    words: dict[str, Any], value: float | None, broken: bool | None
) -> None:
    assert is_broken(alert(**words), value) is broken


@pytest.mark.parametrize(("values", "state"), [
    ([0.3, 0.3, 0.1], "firing"), ([0.3, 0.1, 0.3], "firing"), ([0.3, 0.1, 0.1], "pending"), ([0.1, 0.3, 0.3], "firing"),
    ([0.3, None, None], "pending"), ([None, None, None], "no-data"), ([], "no-data"), ([0.3, 0.1, 0.1, 0.3, 0.3], "pending"),
    ([0.1, 0.3, 0.1], "ok"),
])  # fmt: skip
def test_two_of_three_evaluations_have_to_agree(values: list[float | None], state: str) -> None:
    assert judge_alert(alert(above=0.2, **{"for": "2 of 3"}), {"": values}).state == state


def test_one_bad_segment_makes_the_alert_fire_and_is_named() -> None:
    judged = judge_alert(alert(above=0.2), {"shop=a": [0.1], "shop=b": [0.4], "shop=c": [None]})
    assert (judged.state, judged.value) == ("firing", 0.4)
    assert judged.sentence == "it: wape in shop=b is 0.4, above 0.2"


def test_an_age_is_told_in_days() -> None:
    judged = judge_alert(alert(metric="data_age", above="10d"), {"": [11 * 86_400.0]})
    assert judged.sentence == "it: data_age is 11.0 days, above 10d"


@given(st.lists(st.none() | st.floats(0, 1), max_size=6), st.floats(0.01, 0.99))
def test_a_looser_threshold_never_fires_where_a_tighter_one_does_not(values: list[float | None], limit: float) -> None:
    tight, loose = (judge_alert(alert(above=level), {"": values}).state for level in (limit / 2, limit))
    assert not (loose == "firing" and tight != "firing")


@pytest.mark.parametrize(("value", "limit", "state", "sentence"), [
    (0.5, None, "firing", "it: psi is 0.5, above 0.25"),
    (0.5, 0.3, "firing", "it: psi is 0.5, above 0.25 and 0.3, which is usual here"),
    (0.5, 0.6, "ok", "it: psi is 0.5: above 0.25, and within 0.6, which is usual here"),
    (0.2, 0.1, "ok", "it: psi is 0.2"),
])  # fmt: skip
def test_drift_has_to_be_beyond_the_threshold_and_beyond_what_is_usual(
    value: float, limit: float | None, state: str, sentence: str
) -> None:
    judged = judge_alert(alert(metric="psi", above=0.25), {"": [value]}, {"": limit})
    assert (judged.state, judged.sentence) == (state, sentence)


def test_each_segment_has_its_own_limit() -> None:
    judged = judge_alert(alert(metric="psi", above=0.25), {"a": [0.5], "b": [0.5]}, {"a": 0.6, "b": 0.4})
    assert judged.sentence == "it: psi in b is 0.5, above 0.25 and 0.4, which is usual here"


@pytest.mark.parametrize(("metric", "value", "limit", "state", "sentence"), [
    ("wape", 0.3, 0.25, "firing", "it: wape is 0.3, above 0.25, which is usual here"),
    ("wape", 0.2, 0.25, "ok", "it: wape is 0.2, not above 0.25, which is usual here"),
    ("bias", -0.2, 0.15, "firing", "it: bias is -0.2, outside -0.15 to 0.15, which is usual here"),
    ("bias", 0.1, 0.15, "ok", "it: bias is 0.1, within -0.15 to 0.15, which is usual here"),
    ("coverage", 0.5, 0.4, "firing", "it: coverage is 0.5, below 0.6, which is usual here"),
    ("wape", 0.3, None, "no-data", "it: the backtest has too few windows to tell which wape is usual"),
    ("wape", None, 0.25, "no-data", "it: wape has too little data for a verdict"),
])  # fmt: skip
def test_an_alert_without_a_threshold_is_judged_by_what_the_backtest_tells(
    metric: str, value: float | None, limit: float | None, state: str, sentence: str
) -> None:
    judged = judge_alert(alert(metric=metric, false_alarms_per_year=0.5), {"": [value]}, {"": limit})
    assert (judged.state, judged.sentence) == (state, sentence)


def test_a_threshold_of_accuracy_and_what_is_usual_both_have_to_be_exceeded() -> None:
    both = alert(above=0.2, false_alarms_per_year=0.5)
    states = [judge_alert(both, {"": [value]}, {"": 0.3}).state for value in (0.19, 0.25, 0.31)]
    assert states == ["ok", "ok", "firing"]
    assert judge_alert(both, {"": [0.4]}, {}).state == "no-data"


ERRORS = st.sampled_from([row for row in METRICS.values() if row.kind == "accuracy"])


@given(metric=ERRORS, value=st.floats(0, 1), limit=st.floats(0, 1))
def test_a_value_is_beyond_the_bounds_of_a_badness_where_it_is_worse(
    metric: Metric, value: float, limit: float
) -> None:
    assume(abs(metric.badness(value) - limit) > 1e-9)
    low, high = metric.bounds_of(limit)
    beyond = (low is not None and value < low) or (high is not None and value > high)
    assert beyond == (metric.badness(value) > limit)
