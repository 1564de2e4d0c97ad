"""The receivers of a notice, when a failed delivery is retried, and what is said of a notice that nobody has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from mlspec.plan.backoff import retry_pause
from mlspec.plan.moments import format_moment, moment_after, parse_moment
from mlspec.spec.fields import SEVERITIES
from mlspec.spec.receivers import Notify
from mlspec.state.notice import Notice, PendingNotice
from mlspec.state.record import Event

GIVE_UP = timedelta(days=3)
# More attempts than fit into GIVE_UP (eight pauses up to an hour, then one an hour). A notice that was made by a clock that was
# ahead is given up after these, as it has no useful age.
MOST_DELIVERIES = 100
LEFT_OPEN = "the spec no longer names this receiver, so the incident stays open there until a person closes it"


def notice_receivers(notify: Sequence[Notify], notice: Notice) -> tuple[str, ...]:
    """Return the stable names of the receivers whose `severity` is at or below the notice's."""
    level = SEVERITIES.index(notice.severity)
    return tuple(receiver_name(receiver) for receiver in notify if SEVERITIES.index(receiver.severity) <= level)


def latest_attempt(now: str) -> str:
    """Return the latest moment for which an attempt is planned at `now`: no pause is longer than GIVE_UP.

    An attempt that is recorded for later was planned by a clock that was ahead, and counts as due.
    """
    return moment_after(now, GIVE_UP)


def receiver_name(receiver: Notify) -> str:
    """Return a receiver's stable name in the outbox: its kind, the name of its secret or topic, and what else delivers to it.

    An address of a person is in it, an address of a server or a key never.
    """
    if receiver.email is not None:
        return f"email:{receiver.email.smtp.secret}:{','.join(receiver.email.to)}"
    if receiver.pagerduty is not None and receiver.pagerduty.region != "us":
        return f"pagerduty:{receiver.pagerduty.secret}:{receiver.pagerduty.region}"
    (kind,) = receiver.kinds
    return f"{kind}:{receiver.secret_name or receiver.pubsub}"


def reschedule_delivery(
    pending: PendingNotice, now: str, problem: str, *, permanent: bool, wait: float | None
) -> PendingNotice:
    """Return the outbox's entry after a failed attempt: why it failed, and when it is retried, if at all.

    Pauses double from 30 s to an hour. Each is longer by a share from the notice's id, so that retries do not come at the same
    time. A receiver that asks for a longer pause gets it. Three days after the notice was made, or after MOST_DELIVERIES attempts,
    it is given up: it is no longer useful.
    """
    attempts = pending.attempts + 1
    pause = retry_pause(attempts, pending.notice.id, pending.receiver)
    next_attempt = parse_moment(now) + max(pause, timedelta(seconds=min(wait or 0.0, GIVE_UP.total_seconds())))
    too_late = next_attempt > parse_moment(moment_after(pending.notice.at, GIVE_UP))
    given_up = permanent or too_late or attempts >= MOST_DELIVERIES
    return replace(
        pending, attempts=attempts, next_at=None if given_up else format_moment(next_attempt), problem=problem
    )


def given_up_event(pending: PendingNotice, at: str) -> Event | None:
    """Return the history's event for a notice that was given up; None if it is tried again."""
    if not pending.is_given_up:
        return None
    return Event(pending.notice.forecast, at, "Warning", "NoticeGivenUp", undelivered_sentence(pending))


def undelivered_sentence(pending: PendingNotice) -> str:
    """Return a sentence on a notice that a receiver did not accept."""
    notice = pending.notice
    if pending.problem == LEFT_OPEN:
        return (
            f"{pending.receiver} is not sent the notice of {notice.at} ({notice.message}): {LEFT_OPEN}; "
            f"once it is closed, `mlspec resume {notice.forecast} --notices discard` settles this"
        )
    then = (
        f"it was given up after attempt {pending.attempts}: `mlspec resume {notice.forecast} --notices send` sends it again"
        if pending.is_given_up
        else f"it is tried again at {pending.next_at}"
    )
    return f"{pending.receiver} did not accept the notice of {notice.at} ({notice.message}): {pending.problem}; {then}"


def resend_notice(pending: PendingNotice, now: str) -> PendingNotice:
    """Return the outbox's entry of a notice that a person sends again: due at once."""
    return replace(pending, attempts=0, next_at=now)


def discard_notice(pending: PendingNotice, by: str) -> PendingNotice:
    """Return the outbox's entry of a notice that a person, or a release, discards. It was never delivered."""
    return replace(pending, problem=f"discarded by {by}: {pending.problem or 'it was not tried yet'}")


def notices_without_receiver(
    undelivered: Sequence[PendingNotice], notify: Sequence[Notify]
) -> tuple[PendingNotice, ...]:
    """Return the undelivered notices whose receiver is none of `notify` any more."""
    receivers = {receiver_name(receiver) for receiver in notify}
    return tuple(pending for pending in undelivered if pending.receiver not in receivers)


def keeps_incidents(receiver: str) -> bool:
    """Return whether a receiver, by its stable name, keeps an incident open until a notice, or a person, closes it."""
    return receiver.partition(":")[0] == "pagerduty"


def split_unnamed(
    unnamed: Sequence[PendingNotice],
) -> tuple[tuple[PendingNotice, ...], tuple[PendingNotice, ...]]:
    """Return which notices to receivers that the spec no longer names are discarded, and which are the end of what is open there.

    Nothing is open where the beginning has not arrived.
    """

    def occurrence(pending: PendingNotice) -> tuple[str, str | None, bool]:
        return pending.receiver, pending.notice.alert, pending.notice.is_of_loss

    never_began = {occurrence(pending) for pending in unnamed if not pending.notice.is_end}
    ends = tuple(
        pending
        for pending in unnamed
        if pending.notice.is_end and keeps_incidents(pending.receiver) and occurrence(pending) not in never_began
    )
    return tuple(pending for pending in unnamed if pending not in ends), ends


def leave_open(pending: PendingNotice) -> PendingNotice:
    """Return the outbox's entry of an end that is not sent: given up, so that `status` has it until a person settles it."""
    return replace(pending, attempts=0, next_at=None, problem=LEFT_OPEN)


def left_open_event(pending: PendingNotice, at: str) -> Event:
    """Return the history's event for an incident that a person has to close."""
    return Event(pending.notice.forecast, at, "Warning", "IncidentLeftOpen", undelivered_sentence(pending))


def discarded_event(pending: PendingNotice, at: str) -> Event:
    """Return the history's event for a notice whose receiver the spec does not name any more."""
    notice = pending.notice
    sentence = f"the notice of {notice.at} ({notice.message}) is not sent to {pending.receiver}, which the spec no longer names"
    return Event(notice.forecast, at, "Normal", "NoticeDiscarded", sentence)
