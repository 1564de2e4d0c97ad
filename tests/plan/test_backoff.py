"""How long failed work waits."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.backoff import FIRST_PAUSE, LONGEST_PASS_PAUSE, LONGEST_PAUSE, pass_pause, retry_pause


def test_pauses_double_from_half_a_minute_to_an_hour() -> None:
    pauses = [retry_pause(attempts, "demand").total_seconds() for attempts in range(1, 9)]
    assert all(30 * 2**doublings <= pause <= 36 * 2**doublings for doublings, pause in enumerate(pauses[:7]))
    assert 3600 <= pauses[7] <= 4320


@given(st.integers(1, 10**9), st.lists(st.text(), max_size=3))
def test_a_pause_has_its_bounds_however_often_work_failed(attempts: int, identity: list[str]) -> None:
    assert FIRST_PAUSE <= retry_pause(attempts, *identity) <= LONGEST_PAUSE * 1.2


def test_works_that_failed_together_do_not_come_back_together_and_a_restart_changes_nothing() -> None:
    pauses = {retry_pause(1, f"forecast-{number}") for number in range(50)}
    assert len(pauses) == 50
    assert max(pauses) - min(pauses) > timedelta(seconds=4)
    assert retry_pause(3, "a", "b") == retry_pause(3, "a", "b") != retry_pause(3, "ab")


@given(st.floats(0.1, 10**6), st.integers(0, 10**9))
def test_a_loop_whose_store_is_away_waits_longer_each_time_and_never_too_long(interval: float, failures: int) -> None:
    pause = pass_pause(interval, failures)
    assert pass_pause(interval, 0) == pass_pause(interval, 1) == interval
    assert interval <= pause <= max(interval, LONGEST_PASS_PAUSE)
    assert pause <= pass_pause(interval, failures + 1)
