"""Who is told of a notice, and when one that did not arrive is sent again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from mlspec.plan.backoff import retry_pause
from mlspec.plan.moments import format_moment, parse_moment
from mlspec.spec.fields import SEVERITIES
from mlspec.state.notice import Notice, PendingNotice
from mlspec.state.resource import Json

GIVE_UP = timedelta(days=3)


def notice_receivers(notify: Sequence[Mapping[str, Json]], notice: Notice) -> tuple[str, ...]:
    """Return the stable names of the receivers that want a notice of this severity."""
    level = SEVERITIES.index(notice.severity)
    return tuple(_receiver_name(receiver) for receiver in notify if SEVERITIES.index(receiver["severity"]) <= level)


def _receiver_name(receiver: Mapping[str, Json]) -> str:
    return f"pubsub:{receiver['pubsub']}" if receiver["pubsub"] else f"webhook:{receiver['webhook']['secret']}"


def reschedule_delivery(
    pending: PendingNotice, now: str, problem: str, *, permanent: bool, wait: float | None
) -> PendingNotice:
    """Return the outbox's line after an attempt that failed: when it is tried again, or never, and why it failed.

    Pauses double from 30 s to an hour, each a little longer by what its id says, so that many do not come back together; a receiver
    that asks for more time gets it. Three days after the notice was made it is given up: who reads it then has seen it elsewhere.
    """
    attempts = pending.attempts + 1
    pause = retry_pause(attempts, pending.notice.id, pending.receiver)
    next_attempt = parse_moment(now) + max(pause, timedelta(seconds=min(wait or 0.0, GIVE_UP.total_seconds())))
    given_up = permanent or next_attempt > parse_moment(pending.notice.at) + GIVE_UP
    return replace(
        pending, attempts=attempts, next_at=None if given_up else format_moment(next_attempt), problem=problem
    )
