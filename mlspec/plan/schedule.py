"""When is the next run? Cron expressions in a time zone, daylight saving time included."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def next_run(expression: str | None, timezone: str, now: datetime) -> datetime | None:
    """Return the first moment after `now` (aware) at which `expression` fires, in UTC; None without an expression.

    Read as Debian's cron does: at the turn to summer time a run inside the gap happens just after it, at the turn back
    a run happens once.
    """
    if expression is None:
        return None
    from cronsim import CronSim

    local = now.astimezone(ZoneInfo(timezone))
    found: datetime = next(CronSim(expression, local))
    return found.astimezone(UTC)
