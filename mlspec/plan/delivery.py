"""The receivers of a notice, and when a failed delivery is retried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from mlspec.plan.backoff import retry_pause
from mlspec.plan.moments import format_moment, parse_moment
from mlspec.spec.fields import SEVERITIES
from mlspec.spec.forecast import Notify
from mlspec.state.notice import Notice, PendingNotice

GIVE_UP = timedelta(days=3)


def notice_receivers(notify: Sequence[Notify], notice: Notice) -> tuple[str, ...]:
    """Return the stable names of the receivers whose `severity` is at or below the notice's."""
    level = SEVERITIES.index(notice.severity)
    return tuple(_receiver_name(receiver) for receiver in notify if SEVERITIES.index(receiver.severity) <= level)


def _receiver_name(receiver: Notify) -> str:
    return f"webhook:{receiver.webhook.secret}" if receiver.webhook else f"pubsub:{receiver.pubsub}"


def reschedule_delivery(
    pending: PendingNotice, now: str, problem: str, *, permanent: bool, wait: float | None
) -> PendingNotice:
    """Return the outbox's entry after a failed attempt: why it failed, and when it is retried, if at all.

    Pauses double from 30 s to an hour. Each is longer by a share from the notice's id, so that retries do not come at the same
    time. A receiver that asks for a longer pause gets it. Three days after the notice was made, it is given up: it is no longer
    useful.
    """
    attempts = pending.attempts + 1
    pause = retry_pause(attempts, pending.notice.id, pending.receiver)
    next_attempt = parse_moment(now) + max(pause, timedelta(seconds=min(wait or 0.0, GIVE_UP.total_seconds())))
    given_up = permanent or next_attempt > parse_moment(pending.notice.at) + GIVE_UP
    return replace(
        pending, attempts=attempts, next_at=None if given_up else format_moment(next_attempt), problem=problem
    )
