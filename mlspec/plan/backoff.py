"""When failed work is retried: transient faults after a growing pause, permanent faults once their inputs change.

Failed deliveries of notices have the same pauses (`plan.delivery`).
"""

from __future__ import annotations

from datetime import timedelta

from mlspec.plan.moments import format_moment, parse_moment
from mlspec.state.ledger import Failure
from mlspec.state.resource import digest

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
MOST_ATTEMPTS = 10  # after these, only a changed input or a person starts the work again
_SPREAD = 0.2


def retry_pause(attempts: int, *identity: str) -> timedelta:
    """Return the pause after `attempts` failed attempts: doubled from FIRST_PAUSE to LONGEST_PAUSE, and up to a fifth longer.

    The additional share is from the `identity` of the work. It spreads the retries of forecasts that failed at the same time,
    and a restart changes nothing.
    """
    share = int(digest([*identity, attempts], 8), 16) / 0xFFFFFFFF
    doublings = min(attempts - 1, 10)  # enough for the longest pause, without overflow of a timedelta
    return min(FIRST_PAUSE * float(2**doublings), LONGEST_PAUSE) * (1 + _SPREAD * share)


def next_failure(before: Failure | None, key: str, reason: str, now: str, *, permanent: bool) -> Failure:
    """Return the record of a failure. The pause doubles with each failure of the same work, up to an hour."""
    count = before.count + 1 if before and before.key == key else 1
    if permanent or count >= MOST_ATTEMPTS:
        return Failure(key, count, now, None, reason)
    return Failure(key, count, now, format_moment(parse_moment(now) + retry_pause(count, key)), reason)


def must_wait(failure: Failure | None, key: str, now: str) -> bool:
    """Return whether the work of `key` has to wait. Other work does not wait. A clock that was set back ends the wait."""
    if failure is None or failure.key != key:
        return False
    if failure.next_at is None:
        return True
    return now < failure.next_at and parse_moment(failure.next_at) - parse_moment(now) <= 2 * LONGEST_PAUSE
