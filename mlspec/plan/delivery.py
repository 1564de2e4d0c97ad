"""Who is told of a notice, and when one that did not arrive is sent again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from mlspec.plan.moments import moment, text
from mlspec.state.notice import Notice, Pending
from mlspec.state.resource import Json, digest

SEVERITIES = ("info", "warning", "critical")
FIRST, LONGEST, GIVE_UP = timedelta(seconds=30), timedelta(hours=1), timedelta(days=3)
_SPREAD = 0.2


def receivers(notify: Sequence[Mapping[str, Json]], notice: Notice) -> tuple[str, ...]:
    """Return the stable names of the receivers that want a notice of this severity."""
    level = SEVERITIES.index(notice.severity)
    return tuple(_name(each) for each in notify if SEVERITIES.index(each["severity"]) <= level)


def _name(receiver: Mapping[str, Json]) -> str:
    return f"pubsub:{receiver['pubsub']}" if receiver["pubsub"] else f"webhook:{receiver['webhook']['secret']}"


def after_attempt(pending: Pending, now: str, problem: str, *, lasting: bool, wait: float | None) -> Pending:
    """Return the outbox's line after an attempt that failed: when it is tried again, or never, and why it failed.

    Pauses double from 30 s to an hour, each a little longer by what its id says, so that many do not come back together; a receiver
    that asks for more time gets it. Three days after the notice was made it is given up: who reads it then has seen it elsewhere.
    """
    attempts = pending.attempts + 1
    share = int(digest([pending.notice.id, pending.receiver, attempts], 8), 16) / 0xFFFFFFFF
    pause = min(FIRST * 2 ** min(attempts - 1, 10), LONGEST) * (1 + _SPREAD * share)
    due = moment(now) + max(pause, timedelta(seconds=min(wait or 0.0, GIVE_UP.total_seconds())))
    over = lasting or due > moment(pending.notice.at) + GIVE_UP
    return replace(pending, attempts=attempts, next_at=None if over else text(due), problem=problem)
