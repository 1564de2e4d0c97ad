"""What every sender promises, and how it says that a notice was not taken."""

from __future__ import annotations

from typing import Protocol

from mlspec.state.notice import Notice


class DeliveryError(Exception):
    """A receiver did not take a notice. `problem` names no address and no secret.

    `lasting` says that trying again the same way mends nothing; `after` is how many seconds the receiver asked to be left alone.
    """

    def __init__(self, problem: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.permanent = permanent
        self.retry_after = retry_after


class NoticeSender(Protocol):
    """Whoever can bring a notice to one receiver."""

    def send_notice(self, notice: Notice) -> None:
        """Bring it there, once. Raises Undelivered where it was not taken, or where nobody knows whether it was."""
        ...
