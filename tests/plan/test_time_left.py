"""The estimate of what is left of a run: no less than nothing, less with time, and in words of its precision."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.time_left import run_seconds_left, step_seconds_left, time_text

seconds = st.floats(0, 1e5)


@given(st.lists(seconds, min_size=1, max_size=5), st.integers(1, 20), seconds, seconds)
def test_time_that_goes_by_and_forecasts_that_are_done_leave_less(
    finished: list[float], more: int, running: float, later: float
) -> None:
    count = len(finished) + more
    left = run_seconds_left(finished, count, running)
    after = run_seconds_left(finished, count, running + later)
    assert left is not None
    assert after is not None
    assert 0 <= after <= left <= sum(finished) / len(finished) * more + 1e-6


def test_nothing_is_estimated_from_nothing() -> None:
    assert run_seconds_left([], 3, 10.0) is None
    assert step_seconds_left(100.0, 0, 4) is None
    assert step_seconds_left(100.0, 4, 4) is None
    assert step_seconds_left(1.0, 1, 4) is None
    assert step_seconds_left(10.0, 1, 4) == 30.0
    assert run_seconds_left([10.0, 20.0], 5, 5.0) == 10.0 + 30.0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "10 s"),
        (17.0, "20 s"),
        (61.0, "1 min"),
        (1000.0, "17 min"),
        (3600.0, "1 h"),
        (7800.0, "2 h 10 min"),
        (3590.0, "1 h"),
    ],
)
def test_an_estimate_is_said_in_its_precision(value: float, said: str) -> None:
    assert time_text(value) == said
