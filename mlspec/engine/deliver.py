"""Brings the outbox's notices to their receivers: at least once, each by itself, so that one that is silent holds up none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlspec.errors import MlspecError
from mlspec.plan.delivery import after_attempt
from mlspec.state.notice import Pending
from mlspec.targets.base import Target
from mlspec.targets.notify.base import Sender, Undelivered


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
            found.append(_attempt(target, pending, sender, clock))
            if found[-1].problem:
                silent.add(pending.receiver)
    return tuple(found)


def _attempt(target: Target, pending: Pending, sender: Callable[[str], Sender], clock: Callable[[], str]) -> Delivered:
    try:
        sender(pending.receiver).send(pending.notice)
    except Undelivered as error:
        after = after_attempt(pending, clock(), error.problem, lasting=error.lasting, wait=error.after)
        target.told(after, None)
        return Delivered(after)
    except MlspecError as error:  # a secret that is not there: it may be tomorrow
        after = after_attempt(pending, clock(), error.message, lasting=False, wait=None)
        target.told(after, None)
        return Delivered(after)
    at = clock()
    target.told(Pending(pending.notice, pending.receiver, pending.attempts + 1, None), at)
    return Delivered(Pending(pending.notice, pending.receiver, pending.attempts + 1))
