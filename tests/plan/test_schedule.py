"""The next run, daylight saving time included."""

from datetime import UTC, datetime

import pytest

from mlspec.plan.schedule import next_run


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


def test_no_expression_no_run() -> None:
    assert next_run(None, "UTC", at("2024-05-01T00:00:00Z")) is None
