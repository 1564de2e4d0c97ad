"""One deadline for a whole delivery, from the resolution of a name to the status line of the answer.

A client's own time limits are for one step or one read, and no limit covers the resolution of a name. So a delivery runs in a
thread that is waited for until the deadline.
"""

from __future__ import annotations

import contextvars
import socket
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from threading import Lock, Thread
from typing import TypeVar

from mlspec.targets.notify.base import DeliveryError

Result = TypeVar("Result")
DEADLINE = 15.0  # seconds, for one delivery to one receiver


class CutOff:
    """Ends a delivery at its deadline: its sockets are shut down, and it opens no other."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._is_over = False

    def watch_socket(self, opened: socket.socket) -> None:
        """Shut a socket down at the deadline. Raises TimeoutError if the deadline has passed."""
        with self._lock:
            if self._is_over:
                raise TimeoutError
            # A duplicate: TLS takes the descriptor of a socket over.
            self._sockets.append(opened.dup())

    def end_delivery(self) -> None:
        """Shut all sockets down, which ends every read and write on them, and refuse others."""
        with self._lock:
            self._is_over = True
            for watched in self._sockets:
                with suppress(OSError):  # the other side has closed it already
                    watched.shutdown(socket.SHUT_RDWR)
                watched.close()
            self._sockets.clear()


def finish_in_time(deliver: Callable[[CutOff], Result]) -> Result:
    """Return the result of `deliver`, or raise its error. Raises DeliveryError if neither is there after DEADLINE seconds.

    Then the thread is abandoned. It ends at its next step on a socket; only the resolution of a name goes on, until the resolver's
    own time limit.
    """
    cut_off, outcome = CutOff(), Future[Result]()
    run = contextvars.copy_context().run
    thread = Thread(target=run, args=(_run_delivery, deliver, cut_off, outcome), name="delivery", daemon=True)
    thread.start()
    try:
        if wait([outcome], DEADLINE).not_done:
            raise DeliveryError(f"no answer within {DEADLINE:g} s")
        thread.join()  # it has ended but for its last step; a pass that forks finds no thread of a delivery
        return outcome.result()
    finally:
        cut_off.end_delivery()


def _run_delivery(deliver: Callable[[CutOff], Result], cut_off: CutOff, outcome: Future[Result]) -> None:
    try:
        outcome.set_result(deliver(cut_off))
    except BaseException as error:  # noqa: BLE001  (raised again in the thread that waits)
        outcome.set_exception(error)
