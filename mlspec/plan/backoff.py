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
LONGEST_PASS_PAUSE = 300.0  # seconds: a store that was away for a night is used again within five minutes
MOST_ATTEMPTS = 10  # after these, only a changed input or a person starts the work again
_SPREAD = 0.2
_WHOLE = "pass:"  # how the key of a failure begins that ended a whole pass


def retry_pause(attempts: int, *identity: str) -> timedelta:
    """Return the pause after `attempts` failed attempts: doubled from FIRST_PAUSE to LONGEST_PAUSE, and up to a fifth longer.

    The additional share is from the `identity` of the work. It spreads the retries of forecasts that failed at the same time,
    and a restart changes nothing.
    """
    share = int(digest([*identity, attempts], 8), 16) / 0xFFFFFFFF
    doublings = min(max(attempts - 1, 0), 10)  # enough for the longest pause, without overflow of a timedelta
    return min(FIRST_PAUSE * float(2**doublings), LONGEST_PAUSE) * (1 + _SPREAD * share)


def pass_pause(interval: float, failures: int) -> float:
    """Return the seconds until the loop's next pass, after `failures` passes in a row that could not be made.

    The interval is doubled with each failure after the first, up to LONGEST_PASS_PAUSE. It is never shortened.
    """
    doublings = min(max(failures - 1, 0), 20)  # enough for the longest pause
    return max(interval, min(interval * 2.0**doublings, LONGEST_PASS_PAUSE))


def next_failure(before: Failure | None, key: str, reason: str, now: str, *, permanent: bool) -> Failure:
    """Return the record of a failure. The pause doubles with each failure of the same work, up to an hour."""
    count = before.count + 1 if before and before.key == key else 1
    if permanent or count >= MOST_ATTEMPTS:
        return Failure(key, count, now, None, reason)
    return Failure(key, count, now, format_moment(parse_moment(now) + retry_pause(count, key)), reason)


def pass_key(spec_hash: str, mlspec: str) -> str:
    """Return the key of a pass as a whole, for a defect that ended it: another spec or release of mlspec is tried at once."""
    return f"{_WHOLE}{digest([spec_hash, mlspec], 24)}"


def ended_pass(failure: Failure | None) -> bool:
    """Return whether a failure is a defect that ended a whole pass, and not only the work on a resource."""
    return failure is not None and failure.key.startswith(_WHOLE)


def next_defect(before: Failure | None, key: str, reason: str, now: str) -> Failure:
    """Return the record of a defect that ended a pass. The pause doubles up to an hour, and there is always a next attempt.

    Only a pass can see that the data has changed.
    """
    count = before.count + 1 if before and before.key == key else 1
    return Failure(key, count, now, format_moment(parse_moment(now) + retry_pause(count, key)), reason)


def must_wait(failure: Failure | None, key: str, now: str) -> bool:
    """Return whether the work of `key` has to wait. Other work does not wait. A clock that was set back ends the wait."""
    if failure is None or failure.key != key:
        return False
    if failure.next_at is None:
        return True
    return now < failure.next_at and parse_moment(failure.next_at) - parse_moment(now) <= 2 * LONGEST_PAUSE
