"""When is the next run? Cron expressions in a time zone, daylight saving time included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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


_WEEK, _YEAR = timedelta(days=7), timedelta(days=365)
_OFTEN = 50


def runs_per_month(expression: str) -> float:
    """Return how often a cron expression fires in a month, on average over a year; a frequent one is counted over a week."""
    from cronsim import CronSim

    start = datetime(2025, 1, 1, tzinfo=UTC)
    week, total = 0, 0
    for moment in CronSim(expression, start):
        if moment >= start + _YEAR:
            break
        total += 1
        week += moment < start + _WEEK
        if week > _OFTEN and moment >= start + _WEEK:
            return week * _YEAR / _WEEK / 12
    return total / 12
