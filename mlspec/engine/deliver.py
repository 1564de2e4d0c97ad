"""Brings the outbox's notices to their receivers: at least once, each by itself, so that one that is silent holds up none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from mlspec.engine.defects import as_error
from mlspec.log_context import forecast_scope
from mlspec.plan.delivery import after_attempt
from mlspec.state.notice import Pending
from mlspec.targets.base import Target
from mlspec.targets.notify.base import Sender, Undelivered

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one notice: `problem` is empty where the receiver took it; `next_at` is None where it is given up."""

    pending: Pending

    @property
    def problem(self) -> str:
        """What went wrong, or nothing."""
        return self.pending.problem


def deliver(target: Target, sender: Callable[[str], Sender], clock: Callable[[], str]) -> tuple[Delivered, ...]:
    """Send every notice that is due, and record how it went. `sender` gives the sender of a receiver's name.

    A receiver that failed once is not tried again in this pass: what waits for it would fail the same way.
    """
    found: list[Delivered] = []
    silent: set[str] = set()
    for pending in target.due(clock()):
        if pending.receiver not in silent:
            with forecast_scope(pending.notice.forecast):
                found.append(_attempt(target, pending, sender, clock))
            if found[-1].problem:
                silent.add(pending.receiver)
    return tuple(found)


def _attempt(target: Target, pending: Pending, sender: Callable[[str], Sender], clock: Callable[[], str]) -> Delivered:
    try:
        sender(pending.receiver).send(pending.notice)
    except Undelivered as error:
        logger.info("%s was not told: %s", pending.receiver, error.problem)
        logger.debug("why %s was not told", pending.receiver, exc_info=error)
        after = after_attempt(pending, clock(), error.problem, lasting=error.lasting, wait=error.after)
        target.told(after, None)
        return Delivered(after)
    except Exception as error:  # a secret that is not there may be tomorrow; a defect holds up no other notice
        problem = as_error(error).message
        logger.info("%s was not told: %s", pending.receiver, problem)
        logger.debug("why %s was not told", pending.receiver, exc_info=error)
        after = after_attempt(pending, clock(), problem, lasting=False, wait=None)
        target.told(after, None)
        return Delivered(after)
    at = clock()
    target.told(Pending(pending.notice, pending.receiver, pending.attempts + 1, None), at)
    return Delivered(Pending(pending.notice, pending.receiver, pending.attempts + 1))
