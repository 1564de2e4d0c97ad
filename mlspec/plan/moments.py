"""Conversion of times: RFC 3339 text in UTC at the edges, aware datetimes for arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EARLIEST, LATEST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"  # of which Python can make a time


def parse_moment(text: str) -> datetime:
    """Return the aware datetime of an RFC 3339 text. Raises ValueError if it has no time zone."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"'{text}' has no time zone")
    return parsed.astimezone(UTC)


def format_moment(at: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def moment_after(start: str, span: timedelta) -> str:
    """Return the moment `span` after `start`, at most LATEST: a record may have been edited, or be of a wrong clock."""
    try:
        return format_moment(parse_moment(start) + span)
    except OverflowError:
        return LATEST


def moment_before(start: str, span: timedelta) -> str:
    """Return the moment `span` before `start`, at least EARLIEST."""
    try:
        return format_moment(parse_moment(start) - span)
    except OverflowError:
        return EARLIEST


def day_or_hour(at: str, frequency: str) -> str:
    """Return the day of a moment, or its hour if periods are shorter than a day. A measurement depends on no finer time."""
    return at[:13] if frequency.lstrip("0123456789") in ("h", "min") else at[:10]
