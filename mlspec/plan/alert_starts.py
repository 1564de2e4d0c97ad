"""Decides whether a message about an alert starts the loop: once an incident, however often its message is delivered.

A message is delivered at least once, and can be replayed for days. What is remembered of it may be lost, and a process may end
between the start and the note of it. Then the loop is started once too often, and never once too few.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from mlspec.state.start_mark import StartMark

# A start takes less: 20 s for the alert itself, and 60 s for the call (infra/functions/redeploy). Pub/Sub delivers again after
# 10 s, 20 s, 40 s and so on, ten times (infra/pubsub.tf), so that a claim whose process ended is over before it gives up.
CLAIM = timedelta(minutes=2)

StartDecision = Literal["start", "wait", "done"]


def decide_start(mark: StartMark | None, now: datetime) -> StartDecision:
    """Return whether to start the loop, to wait for the process that is about to, or neither.

    A claim of the future comes from another clock. Like an old one, it holds nobody up.
    """
    if mark is None:
        return "start"
    if mark.started:
        return "done"
    return "wait" if abs(now - mark.since) < CLAIM else "start"
