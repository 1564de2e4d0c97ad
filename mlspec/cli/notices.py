"""Sends the due notices at the end of a pass, and says what became of each."""

from __future__ import annotations

from collections.abc import Callable

from mlspec.cli.escape import printable
from mlspec.cli.messages import report, say_error
from mlspec.cli.senders import NoticeSettings, sender_factory
from mlspec.cli.target import timestamp
from mlspec.engine.deliver import deliver_notices
from mlspec.errors import MlspecError
from mlspec.plan.shares import EVERYTHING, Share
from mlspec.targets.base import OpenedTarget


def send_due_notices(
    target: OpenedTarget, say: Callable[[str], None], settings: NoticeSettings, share: Share = EVERYTHING
) -> None:
    """Send the due notices, and `say` which arrived. If a receiver does not answer, a later pass sends again.

    `share` has the forecasts whose notices are sent here.
    """
    senders = sender_factory(target.read_secret, timestamp, target.project, settings)
    try:
        attempts = deliver_notices(target, senders, timestamp, share)
    except MlspecError as error:  # the result of the pass is printed nevertheless
        say_error(error)
        return
    for attempt in attempts:
        notice, pending = attempt.pending.notice, attempt.pending
        if not attempt.problem:
            say(f"{timestamp()}  {notice.forecast}: notified {pending.receiver}: {printable(notice.message)}")
            continue
        then = f"is tried again at {pending.next_at}" if pending.next_at else "is given up"
        report(
            f"{notice.forecast}: {pending.receiver} did not accept the notice: {attempt.problem}; it {then}",
            "WARNING",
            forecast=notice.forecast,
            at=timestamp(),
        )
