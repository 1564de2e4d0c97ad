"""The only clock of mlspec: the command line and the Python API read it; all other code gets the time as an argument."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  (this is the one place)
