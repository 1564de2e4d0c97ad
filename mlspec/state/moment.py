"""The form of a recorded moment: RFC 3339 with a time zone."""

from __future__ import annotations

from datetime import UTC, datetime


def require_moment(text: str) -> str:
    """Return `text`. Raises ValueError or TypeError if it is not a moment: a decision must not be made from an invalid time."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"'{text}' has no time zone")
    try:
        at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"'{text}' is no time in UTC") from error
    return text
