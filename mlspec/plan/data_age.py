"""How old the newest data of a forecast is."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def data_age(cutoff: str, zone: str | None, now: datetime) -> float | None:
    """Return the seconds since the newest period began (ISO text, by the clocks of `zone` if it names no offset).

    None if the text is no time. A period that begins after `now` has age 0.
    """
    try:
        began = datetime.fromisoformat(cutoff)
    except ValueError:
        return None
    if began.tzinfo is None:
        began = began.replace(tzinfo=ZoneInfo(zone or "UTC"))
    return max((now - began).total_seconds(), 0.0)
