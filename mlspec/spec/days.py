"""Days and ranges of days, as a spec writes them: 2026-07-01, or 2026-07-01/2026-07-31 with both ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta


def day_range(text: str) -> Iterator[date]:
    """Yield the days of a text. Raises ValueError if one of its ends is no date, or the second is before the first."""
    first, _, last = text.partition("/")
    begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
    if end < begin:
        raise ValueError(f"{last} is before {first}")
    for number in range((end - begin).days + 1):
        yield begin + timedelta(days=number)
