"""The next run and what has come due, daylight saving time and leap days included."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.moments import moment_after, parse_moment
from mlspec.plan.schedule import DueRun, due_run, next_run


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("expression", "timezone", "now", "expected"),
    [
        ("0 6 * * MON", "UTC", "2024-05-01T00:00:00Z", "2024-05-06T06:00:00Z"),
        ("0 6 * * *", "America/Sao_Paulo", "2024-05-01T00:00:00Z", "2024-05-01T09:00:00Z"),
        # Europe/Paris goes to summer time on 2024-03-31: 06:00 local moves from 05:00 to 04:00 UTC.
        ("0 6 * * *", "Europe/Paris", "2024-03-30T12:00:00Z", "2024-03-31T04:00:00Z"),
        # and back on 2024-10-27
        ("0 6 * * *", "Europe/Paris", "2024-10-26T12:00:00Z", "2024-10-27T05:00:00Z"),
        # 02:30 does not exist on that day: it runs when the gap is over, not a day later
        ("30 2 * * *", "Europe/Paris", "2024-03-30T12:00:00Z", "2024-03-31T01:00:00Z"),
    ],
)
def test_the_next_run_is_at_the_local_time(expression: str, timezone: str, now: str, expected: str) -> None:
    assert next_run(expression, timezone, at(now)) == at(expected)


@given(
    st.sampled_from(["Europe/Lisbon", "America/New_York", "America/Havana", "Australia/Lord_Howe", "UTC"]),
    st.sampled_from(["30 1 * * *", "15,45 1 * * *", "0 * * * *", "*/20 * * * *", "0 0 * * MON", "30 2 1 * *"]),
    st.integers(0, 366 * 24 * 12),
)
def test_the_next_run_is_later_than_now_also_in_the_hour_that_the_end_of_summer_time_repeats(
    timezone: str, expression: str, minutes: int
) -> None:
    now = at("2026-01-01T00:00:00Z") + timedelta(minutes=5 * minutes)
    found = next_run(expression, timezone, now)
    assert found is not None
    assert found > now
    assert due_run(expression, timezone, now, found) == DueRun(found, 0)


@pytest.mark.parametrize(("timezone", "now", "expected"), [
    ("Europe/Lisbon", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z"),  # 01:10 for the second time: 01:30 was
    ("America/New_York", "2026-11-01T06:10:00Z", "2026-11-02T06:30:00Z"),
])  # fmt: skip
def test_what_has_run_in_the_repeated_hour_is_not_due_again(timezone: str, now: str, expected: str) -> None:
    """A first pass in the second of the two hours: the loop makes no forecast for the moment before it."""
    assert next_run("30 1 * * *", timezone, at(now)) == at(expected)
    assert due_run("30 1 * * *", timezone, at(now), at(now) + timedelta(hours=2)) is None


def test_no_expression_no_run() -> None:
    assert next_run(None, "UTC", at("2024-05-01T00:00:00Z")) is None


@pytest.mark.parametrize(("expression", "timezone", "handled", "now", "slot", "missed"), [
    # 02:30 does not exist on the day of summer time: the run comes when the gap is over
    ("30 2 * * *", "Europe/Paris", "2024-03-30T12:00:00Z", "2024-03-31T12:00:00Z", "2024-03-31T01:00:00Z", 0),
    # a month that is looked through across both turns: as many moments as days
    ("0 6 * * *", "Europe/Paris", "2024-03-15T05:00:00Z", "2024-04-15T12:00:00Z", "2024-04-15T04:00:00Z", 30),
    ("0 6 * * *", "Europe/Paris", "2024-10-15T04:00:00Z", "2024-11-15T12:00:00Z", "2024-11-15T05:00:00Z", 30),
    # a leap day comes every four years, and is found however long ago
    ("0 6 29 2 *", "UTC", "2020-03-01T00:00:00Z", "2024-12-01T00:00:00Z", "2024-02-29T06:00:00Z", 0),
    ("0 6 * * *", "UTC", "2024-02-28T06:00:00Z", "2024-03-01T06:00:00Z", "2024-03-01T06:00:00Z", 1),
])  # fmt: skip
def test_what_came_due_is_found_on_every_kind_of_day(
    expression: str, timezone: str, handled: str, now: str, slot: str, missed: int
) -> None:
    assert due_run(expression, timezone, at(handled), at(now)) == DueRun(at(slot), missed)


@pytest.mark.parametrize("day", ["2024-03-31", "2024-10-27", "2024-02-29", "2024-05-01"])
@given(minutes=st.integers(7, 200), hour=st.integers(0, 23))
def test_a_daily_moment_is_dealt_with_once_a_day_however_often_is_looked(day: str, minutes: int, hour: int) -> None:
    """From noon before to noon after in Paris: one run each local day, whatever the hour and however often."""
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo("Europe/Paris"))
    start, end = ((noon + timedelta(days=days)).astimezone(UTC) for days in (-1, 1))
    now, handled, slots = start, start, []
    while now < end:
        now = min(now + timedelta(minutes=minutes), end)
        found = due_run(f"30 {hour} * * *", "Europe/Paris", handled, now)
        if found:
            slots.append(found.slot)
            handled = found.slot
            assert found.missed == 0
    assert len(slots) == len(set(slots)) == 2


@given(back=st.integers(0, 100_000), expression=st.sampled_from(["*/5 * * * *", "0 6 * * *", "0 4 1 * *"]))
def test_a_clock_that_is_set_back_makes_nothing_due(back: int, expression: str) -> None:
    now = at("2024-05-01T00:00:00Z")
    assert due_run(expression, "Europe/Paris", now, now - timedelta(minutes=back)) is None


@pytest.mark.parametrize("text", ["2024-05-01T00:00:00", "2024-05-01"])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        parse_moment(text)


@pytest.mark.parametrize(("start", "end"), [
    ("2024-03-30T12:00:00+01:00", "2024-03-31T11:00:00Z"),  # a day is 24 hours, on the day that has 23 too
    ("2024-02-28T06:00:00Z", "2024-02-29T06:00:00Z"),
])  # fmt: skip
def test_a_duration_is_time_that_passes_and_no_date_on_a_calendar(start: str, end: str) -> None:
    assert moment_after(start, timedelta(hours=24)) == end
