"""Due and next runs: cron expressions in a time zone, with daylight saving time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo


def next_run(expression: str | None, timezone: str, now: datetime) -> datetime | None:
    """Return the first moment after `now` (aware) at which `expression` fires, in UTC; None without an expression.

    Follows Debian's cron. When summer time begins, a run inside the skipped hour happens just after it. When summer time ends,
    a run in the repeated hour happens once.
    """
    if expression is None:
        return None
    return next(_moments_after(expression, timezone, now))


@dataclass(frozen=True, slots=True)
class DueRun:
    """The newest due moment of a schedule, and how many earlier moments had no run.

    `missed` is a lower bound if the schedule fires more than fifty times in the days that are searched.
    """

    slot: datetime
    missed: int


_FREQUENT_RUNS = 50
# How far back a schedule is searched, shortest first: a frequent schedule has its newest moment in the last days.
_LOOKBACKS = (timedelta(days=2), timedelta(days=40), timedelta(days=400), timedelta(days=4000))


def due_run(expression: str | None, timezone: str, handled: datetime, now: datetime) -> DueRun | None:
    """Return the newest moment since `handled`, the last moment that was handled; None if there is none.

    If several were missed, only the newest is due: one run makes up for all. A clock that was set back makes nothing due twice.
    A `handled` far in the future would make nothing due until it comes: `plan.clock` corrects it before.
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
    return list(takewhile(lambda slot: slot <= end, _moments_after(expression, timezone, start)))


def _moments_after(expression: str, timezone: str, start: datetime) -> Iterator[datetime]:
    """Yield the moments after `start` at which the expression fires, in UTC.

    In the hour that the end of summer time repeats, CronSim begins with the moments of its first pass, which are over.
    """
    from cronsim import CronSim

    for slot in CronSim(expression, start.astimezone(ZoneInfo(timezone))):
        moment: datetime = slot.astimezone(UTC)
        if moment > start:
            yield moment


_WEEK, _YEAR = timedelta(days=7), timedelta(days=365)


def runs_per_month(expression: str) -> float:
    """Return how often a cron expression fires in a month: the average over a year, or over a week for a frequent one."""
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
