"""Durations in a spec: `90s`, `15m`, `24h`, `3d`, `2w`, `1y`. A year is 365 days."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
# Only read, never written: how a duration is written is part of a spec's digest, and 365d was written so before.
_ONLY_READ = {"y": 365 * 86400}
_PATTERN = re.compile(r"(0|[1-9][0-9]{0,6})([smhdwy])")
EXPECTED = "a whole number and a unit: 90s, 15m, 24h, 3d, 2w or 1y"
LONGEST = timedelta(days=3660)


def parse_duration(text: str) -> timedelta:
    """Return the duration of `text`. Raises ValueError with a message for the author of a spec."""
    match = _PATTERN.fullmatch(text)
    if not match:
        raise ValueError(f"expected {EXPECTED}")
    seconds = int(match[1]) * {**_UNITS, **_ONLY_READ}[match[2]]
    if seconds > LONGEST.total_seconds():  # compared as a number: a timedelta cannot hold all of them
        raise ValueError(f"expected at most {format_duration(LONGEST)}")
    return timedelta(seconds=seconds)


def format_duration(span: timedelta) -> str:
    """Return the shortest spelling: the largest unit that divides `span`."""
    seconds = int(span.total_seconds())
    if not seconds:
        return "0d"
    unit = max((u for u in _UNITS if seconds % _UNITS[u] == 0), key=_UNITS.__getitem__)
    return f"{seconds // _UNITS[unit]}{unit}"
