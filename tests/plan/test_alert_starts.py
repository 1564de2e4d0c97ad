"""Whether a message about an alert starts the loop: a table, and its laws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.alert_starts import CLAIM, decide_start
from mlspec.state.start_mark import StartMark

NOW = datetime(2026, 1, 5, 6, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("mark", "decision"),
    [
        (None, "start"),
        (StartMark(started=True, since=NOW), "done"),
        (StartMark(started=True, since=NOW - timedelta(days=7)), "done"),
        (StartMark(started=False, since=NOW), "wait"),
        (StartMark(started=False, since=NOW - CLAIM + SECOND), "wait"),
        (StartMark(started=False, since=NOW - CLAIM), "start"),
        (StartMark(started=False, since=NOW + SECOND), "wait"),
        (StartMark(started=False, since=NOW + timedelta(days=365)), "start"),
    ],
)
def test_the_loop_is_started_for_what_is_new_and_for_a_claim_that_ran_out(
    mark: StartMark | None, decision: str
) -> None:
    assert decide_start(mark, NOW) == decision


@given(st.builds(StartMark, started=st.just(False), since=st.datetimes(timezones=st.just(UTC))), st.integers(1, 5))
def test_no_claim_keeps_a_message_waiting_for_ever(mark: StartMark, tries: int) -> None:
    later = [NOW + attempt * CLAIM for attempt in range(tries + 3)]
    assert [decide_start(mark, moment) for moment in later].count("wait") <= 2
