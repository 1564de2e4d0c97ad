"""When is the next run? Cron expressions in a time zone, daylight saving time included."""

from __future__ import annotations

from dataclasses import dataclass
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
    next_moment: datetime = next(CronSim(expression, local))
    return next_moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class DueRun:
    """The newest moment of a schedule that has come, and how many earlier ones went by without a run: at least so many, of a
    schedule that comes round more than fifty times in the days looked through."""

    slot: datetime
    missed: int


_FREQUENT_RUNS = 50
# How far back a schedule is looked through, nearest first: a frequent one has its newest moment in the last days.
_LOOKBACKS = (timedelta(days=2), timedelta(days=40), timedelta(days=400), timedelta(days=4000))


def due_run(expression: str | None, timezone: str, handled: datetime, now: datetime) -> DueRun | None:
    """Return what has come since the moment `handled` that was dealt with last; None where nothing has.

    However many were missed, the newest alone is due: one run makes up for all. A clock that was set back makes nothing due twice.
    """
    if expression is None or handled >= now:
        return None
    slots: list[datetime] = []
    for lookback in _LOOKBACKS:
        start = max(handled, now - lookback)
        slots = _runs_between(expression, timezone, start, now)
        if start == handled or len(slots) > _FREQUENT_RUNS:
            break
    return DueRun(slots[-1], len(slots) - 1) if slots else None


def _runs_between(expression: str, timezone: str, start: datetime, end: datetime) -> list[datetime]:
    from cronsim import CronSim

    moments = []
    for slot in CronSim(expression, start.astimezone(ZoneInfo(timezone))):
        if slot > end:
            break
        moments.append(slot.astimezone(UTC))
    return moments


_WEEK, _YEAR = timedelta(days=7), timedelta(days=365)


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
        if week > _FREQUENT_RUNS and moment >= start + _WEEK:
            return week * _YEAR / _WEEK / 12
    return total / 12
