"""A clock, a store and a receiver that misbehave now and then, all from one seed: what the two simulated years are lived under.

clock      a pass in 40 has a clock that is a year ahead
store      a write in 60 is lost before it is made, and one in 60 after it: the answer is an error in both cases
receiver   of a webhook's answers, a quarter is an error, a redirect or a hang-up; a hang-up comes after the notice was taken
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from mlspec.engine.deliver import deliver_notices
from mlspec.errors import TargetError
from mlspec.state.observed import Observed, Settlement
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.notify.webhook import WebhookSender
from tests.notify.receiver import LOOPBACK, Receiver, receiving

LOST = "the store lost the answer"
AHEAD = timedelta(days=365)
ANSWERS: tuple[tuple[int, dict[str, str]] | None, ...] = (
    (204, {}), (204, {}), (503, {}), (204, {}), (204, {}), (302, {"location": "http://127.0.0.1:9/"}), (204, {}), (204, {}),
    None, (204, {}), (204, {}), (204, {}),
)  # fmt: skip


def share(*what: object) -> float:
    """Return a number from 0 to 1 that follows from what it is asked for: the same in every process."""
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:6]) / 2**48


def clock_of(seed: int, moment: str) -> str:
    """Return what the clock of a pass says at a moment (RFC 3339): the moment, or a year later."""
    if share(seed, "clock", moment) > 1 / 40:
        return moment
    return f"{datetime.fromisoformat(moment).astimezone(UTC) + AHEAD:%Y-%m-%dT%H:%M:%SZ}"


class LossyTarget(LocalTarget):
    """A folder whose writes fail now and then. `pass_id` tells passes apart; a pass that is repeated has another one."""

    seed = 0
    pass_id = ""
    writes = 0

    def record_settlement(self, settlement: Settlement, at: str) -> Observed:
        """Record an effect; the answer may be lost, with the effect or without it."""
        self.writes += 1
        drawn = share(self.seed, "store", self.pass_id, settlement.forecast, self.writes)
        if drawn < 1 / 60:
            raise TargetError(LOST, hint="it is tried again")
        observed = super().record_settlement(settlement, at)
        if drawn > 1 - 1 / 60:
            raise TargetError(LOST, hint="it is tried again")
        return observed


class Post:
    """A webhook, and what came of the notices that were sent to it."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.delivered: set[str] = set()

    def send_due(self, target: LocalTarget, at: str) -> None:
        """Send the notices that are due at a moment, and note which arrived."""

        def clock() -> str:
            return at

        for attempt in deliver_notices(target, lambda _name: WebhookSender(self.receiver.url, clock, LOOPBACK), clock):
            if not attempt.problem:
                self.delivered.add(attempt.pending.notice.id)

    def taken(self) -> list[str]:
        """Return the ids of the notices that the receiver took, in order: one that it was sent twice stands there twice."""
        answers = self.receiver.answers
        return [
            headers["webhook-id"]
            for (headers, _body), answer in zip(self.receiver.got, answers, strict=False)
            if answer is None or answer[0] == 204  # it hangs up once it has taken a notice
        ]


@contextmanager
def posting() -> Iterator[Post]:
    """Run the receiver for the length of a block."""
    with receiving(*(ANSWERS * 500)) as receiver:
        yield Post(receiver)
