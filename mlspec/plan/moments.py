"""Moments as text and back: RFC 3339 in UTC outside, aware datetimes where something is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def parse_moment(text: str) -> datetime:
    """Return the aware datetime of an RFC 3339 text. Raises ValueError for one without a zone: it names no moment."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"'{text}' has no time zone")
    return parsed.astimezone(UTC)


def format_moment(at: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def moment_after(start: str, span: timedelta) -> str:
    """Return the moment that lies `span` after `start`."""
    return format_moment(parse_moment(start) + span)


def moment_before(start: str, span: timedelta) -> str:
    """Return the moment that lies `span` before `start`."""
    return format_moment(parse_moment(start) - span)


def day_or_hour(at: str, frequency: str) -> str:
    """Return the day of a moment, or its hour where periods are shorter than a day: how finely "now" matters to a measure."""
    return at[:13] if frequency.lstrip("0123456789") in ("h", "min") else at[:10]
