"""Delivers the outbox's notices to their receivers, at least once each. A receiver that fails does not delay the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlspec.engine.defects import as_error
from mlspec.errors import MlspecError
from mlspec.log_context import forecast_scope
from mlspec.plan.delivery import given_up_event, latest_attempt, receiver_name, reschedule_delivery
from mlspec.plan.notices import probe_notice
from mlspec.plan.shares import EVERYTHING, Share
from mlspec.spec.forecast import Forecast
from mlspec.spec.receivers import Notify
from mlspec.state.notice import Notice, PendingNotice
from mlspec.targets.base import Target
from mlspec.targets.notify.base import DeliveryError, NoticeSender

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One attempt: `problem` is empty if the receiver accepted the notice; `pending.next_at` is None if it was given up."""

    pending: PendingNotice

    @property
    def problem(self) -> str:
        """What went wrong; empty if nothing did."""
        return self.pending.problem


@dataclass(frozen=True, slots=True)
class ReceiverTrial:
    """The trial of one receiver: what it answered, or the problem if it did not accept the notice."""

    receiver: str
    answer: str = ""
    problem: str = ""


def try_receivers(
    spec: Forecast, receivers: Sequence[Notify], sender: Callable[[str], NoticeSender], now: str
) -> tuple[ReceiverTrial, ...]:
    """Send one test notice to each receiver, once. Records nothing."""
    notice = probe_notice(spec, now)
    return tuple(_try_receiver(receiver_name(receiver), notice, sender) for receiver in receivers)


def _try_receiver(receiver: str, notice: Notice, sender: Callable[[str], NoticeSender]) -> ReceiverTrial:
    try:
        return ReceiverTrial(receiver, answer=sender(receiver).send_notice(notice) or "it has the notice")
    except (DeliveryError, MlspecError) as error:  # a missing secret is the latter
        logger.debug("why %s did not accept the notice", receiver, exc_info=error)
        return ReceiverTrial(receiver, problem=_problem_of(error))
    except Exception as error:  # a defect with one receiver does not stop the trial of the others
        logger.debug("why %s did not accept the notice", receiver, exc_info=error)
        return ReceiverTrial(receiver, problem=as_error(error).message)


def _problem_of(error: DeliveryError | MlspecError) -> str:
    if isinstance(error, DeliveryError):
        return error.problem
    return f"{error.message} ({error.hint})" if error.hint else error.message


def deliver_notices(
    target: Target, sender: Callable[[str], NoticeSender], clock: Callable[[], str], share: Share = EVERYTHING
) -> tuple[DeliveryAttempt, ...]:
    """Send every notice that is due, and record each attempt. `sender` returns the sender for a receiver's name.

    Only the notices of the forecasts in `share` are sent: another task of the same job sends the others.

    A receiver that failed once is not tried again in this pass: its other notices would fail in the same way.
    """
    attempts: list[DeliveryAttempt] = []
    silent: set[str] = set()
    now = clock()
    for pending in target.load_due_notices(now, latest_attempt(now)):
        if pending.receiver not in silent and share.has(pending.notice.forecast):
            with forecast_scope(pending.notice.forecast):
                attempts.append(_attempt_delivery(target, pending, sender, clock))
            if attempts[-1].problem:
                silent.add(pending.receiver)
    return tuple(attempts)


def _attempt_delivery(
    target: Target, pending: PendingNotice, sender: Callable[[str], NoticeSender], clock: Callable[[], str]
) -> DeliveryAttempt:
    try:
        sender(pending.receiver).send_notice(pending.notice)
    except DeliveryError as error:
        return _record_failure(target, pending, error, error, clock())
    except Exception as error:  # noqa: BLE001  (a missing secret may exist tomorrow; a defect does not stop the other notices)
        return _record_failure(target, pending, DeliveryError(as_error(error).message), error, clock())
    accepted = PendingNotice(pending.notice, pending.receiver, pending.attempts + 1)
    target.mark_delivered(accepted, clock())
    return DeliveryAttempt(accepted)


def _record_failure(
    target: Target, pending: PendingNotice, failure: DeliveryError, cause: Exception, at: str
) -> DeliveryAttempt:
    """Record that a receiver did not accept a notice, and when it is tried again."""
    logger.info("%s did not accept the notice: %s", pending.receiver, failure.problem)
    logger.debug("why %s did not accept the notice", pending.receiver, exc_info=cause)
    after = reschedule_delivery(pending, at, failure.problem, permanent=failure.permanent, wait=failure.retry_after)
    target.mark_delivered(after, None, given_up_event(after, at))
    return DeliveryAttempt(after)
