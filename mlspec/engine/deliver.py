"""Delivers the outbox's notices to their receivers, at least once each. A receiver that fails does not delay the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from mlspec.engine.defects import as_error
from mlspec.log_context import forecast_scope
from mlspec.plan.delivery import reschedule_delivery
from mlspec.state.notice import PendingNotice
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


def deliver_notices(
    target: Target, sender: Callable[[str], NoticeSender], clock: Callable[[], str]
) -> tuple[DeliveryAttempt, ...]:
    """Send every notice that is due, and record each attempt. `sender` returns the sender for a receiver's name.

    A receiver that failed once is not tried again in this pass: its other notices would fail in the same way.
    """
    attempts: list[DeliveryAttempt] = []
    silent: set[str] = set()
    for pending in target.load_due_notices(clock()):
        if pending.receiver not in silent:
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
        logger.info("%s did not accept the notice: %s", pending.receiver, error.problem)
        logger.debug("why %s did not accept the notice", pending.receiver, exc_info=error)
        after = reschedule_delivery(pending, clock(), error.problem, permanent=error.permanent, wait=error.retry_after)
        target.mark_delivered(after, None)
        return DeliveryAttempt(after)
    except Exception as error:  # a missing secret may exist tomorrow; a defect does not stop the other notices
        problem = as_error(error).message
        logger.info("%s did not accept the notice: %s", pending.receiver, problem)
        logger.debug("why %s did not accept the notice", pending.receiver, exc_info=error)
        after = reschedule_delivery(pending, clock(), problem, permanent=False, wait=None)
        target.mark_delivered(after, None)
        return DeliveryAttempt(after)
    at = clock()
    target.mark_delivered(PendingNotice(pending.notice, pending.receiver, pending.attempts + 1, None), at)
    return DeliveryAttempt(PendingNotice(pending.notice, pending.receiver, pending.attempts + 1))
