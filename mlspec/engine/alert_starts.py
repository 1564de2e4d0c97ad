"""Claims the start of the loop for a message about an alert, so that of many deliveries one starts it (`plan.alert_starts`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mlspec.plan.alert_starts import StartDecision, decide_start
from mlspec.state.start_mark import NEW_MARK, StartMark


class StartMarks(Protocol):
    """What is remembered of messages, shared by all processes. `message` is a digest of what names its incident."""

    def read_mark(self, forecast: str, message: str) -> StartMark | None:
        """Return what is remembered of a message; None if it is new."""
        ...

    def write_mark(self, forecast: str, message: str, *, started: bool, over: int) -> int | None:
        """Write a mark over the generation `over` (NEW_MARK: there is none). Return its own; None if another process wrote one."""
        ...

    def remove_mark(self, forecast: str, message: str, generation: int) -> None:
        """Remove a mark, if no other process has written over it."""
        ...


@dataclass(frozen=True, slots=True)
class StartClaim:
    """The decision about one message. If it is `start`, no other process starts the loop for it until the claim runs out."""

    decision: StartDecision
    marks: StartMarks
    forecast: str
    message: str
    generation: int = NEW_MARK

    def confirm(self) -> None:
        """Remember that the loop was started. Raises TargetError if that fails: then a replay starts it once more."""
        self.marks.write_mark(self.forecast, self.message, started=True, over=self.generation)

    def release(self) -> None:
        """Give the claim back, so that the next delivery need not wait for its end."""
        self.marks.remove_mark(self.forecast, self.message, self.generation)


def claim_start(marks: StartMarks, forecast: str, message: str, now: datetime) -> StartClaim:
    """Return what to do about a message, and claim the start of the loop if it is to be started.

    Raises TargetError if the marks cannot be read or written.
    """
    mark = marks.read_mark(forecast, message)
    decision = decide_start(mark, now)
    if decision != "start":
        return StartClaim(decision, marks, forecast, message)
    claimed = marks.write_mark(forecast, message, started=False, over=mark.generation if mark else NEW_MARK)
    # Another process may have claimed it at the same moment.
    return StartClaim("start" if claimed else "wait", marks, forecast, message, claimed or NEW_MARK)
