"""A rollback has to help: laws of weighing what serves against what would take over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.comparison import LEAST_GAIN, LEAST_IMPROVEMENT, comparison_note, with_comparison_note, would_do_better
from mlspec.plan.thresholds import is_broken
from mlspec.spec.alerts import Alert
from tests.examples import alert_of

ABOVE = alert_of(name="accuracy", above=0.2)
OUTSIDE = alert_of(name="bias", metric="bias", outside=[-0.1, 0.1])
BELOW = alert_of(name="coverage", metric="coverage", below=0.7)
ALERTS = st.sampled_from([ABOVE, OUTSIDE, BELOW])
VALUES = st.floats(-3, 3, allow_nan=False)
SEGMENTS = st.dictionaries(
    st.sampled_from(["a", "b"]), st.lists(VALUES | st.none(), min_size=1, max_size=3), min_size=1
)


@given(alert=ALERTS, segments=SEGMENTS)
def test_no_version_does_better_than_itself_where_it_breaks_the_threshold(
    alert: Alert, segments: dict[str, list[float | None]]
) -> None:
    if any(is_broken(alert, values[0]) for values in segments.values()):
        assert not would_do_better(alert, segments, segments)


@given(alert=ALERTS, own=SEGMENTS)
def test_what_cannot_be_compared_counts_as_better(alert: Alert, own: dict[str, list[Any]]) -> None:
    assert would_do_better(alert, own, {"": [None]})
    assert would_do_better(alert, own, {})


@pytest.mark.parametrize(("alert", "own", "other", "found"), [
    (ABOVE, 0.21, 0.195, False), (ABOVE, 0.21, 0.185, True), (ABOVE, 1.2, 0.2, True),
    (BELOW, 0.6, 0.65, False), (BELOW, 0.6, 0.7, True),
    (OUTSIDE, 0.12, 0.05, True), (OUTSIDE, -0.12, -0.05, True), (OUTSIDE, -0.105, -0.1, False),
])  # fmt: skip
def test_one_that_is_better_by_chance_takes_nothing_over(alert: Alert, own: float, other: float, found: bool) -> None:
    assert LEAST_GAIN == 0.1
    assert would_do_better(alert, {"": [own]}, {"": [other]}) is found


@pytest.mark.parametrize(("other", "found"), [(0.29, True), (0.31, False), (0.6, False)])
def test_one_that_breaks_it_too_has_to_undo_half_of_the_trouble(other: float, found: bool) -> None:
    assert LEAST_IMPROVEMENT == 0.5
    assert would_do_better(ABOVE, {"": [0.4]}, {"": [other]}) is found


def test_the_worst_segment_is_what_counts() -> None:
    own = {"store=1": [0.25], "store=2": [0.6]}
    assert would_do_better(ABOVE, own, {"store=1": [0.35], "store=2": [0.1]})
    assert not would_do_better(ABOVE, own, {"store=1": [0.1], "store=2": [0.55]})


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("vw"), st.text("0123456789abcdef", min_size=1))))
def test_one_note_is_kept_of_an_incident_and_version(weighings: list[tuple[str, str, str]]) -> None:
    acted: tuple[str, ...] = ("a:v", "a:trained")
    for incident, version, evidence in weighings:
        acted = with_comparison_note(acted, incident, version, evidence)
        assert comparison_note(incident, version, evidence) in acted
    assert acted[:2] == ("a:v", "a:trained")
    assert len(acted) == 2 + len({(incident, version) for incident, version, _ in weighings})


def test_what_is_usual_is_the_threshold_of_an_alert_that_names_none() -> None:
    by_past = alert_of(name="accuracy", false_alarms_per_year=0.5)
    for instead, better in ((0.2, True), (0.32, True), (0.38, False), (0.41, False)):
        assert would_do_better(by_past, {"": [0.4]}, {"": [instead]}, {"": 0.3}) is better
    assert not would_do_better(by_past, {"": [0.6]}, {"": [0.5]}, {"": 0.3})  # better by 17 %, and far beyond it too
