"""The interface of a notice sender, and the error for a failed delivery."""

from __future__ import annotations

from typing import Protocol

from mlspec.state.notice import Notice


class DeliveryError(Exception):
    """A notice was not delivered. `problem` contains no address and no secret.

    `permanent`: a retry cannot succeed. `retry_after`: seconds that the receiver asked to wait before the next attempt.
    """

    def __init__(self, problem: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.permanent = permanent
        self.retry_after = retry_after


class NoticeSender(Protocol):
    """Sends notices to one receiver."""

    def send_notice(self, notice: Notice) -> str | None:
        """Send the notice once, and return in words what was answered, if anything was.

        Raises DeliveryError if it was not delivered, or if the result is unknown.
        """
        ...
