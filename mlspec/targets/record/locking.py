"""Waiting for a lock and the description of its holder, shared by all kinds of locks."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable

from mlspec.errors import LockHeld
from mlspec.targets.user import current_user

logger = logging.getLogger(__name__)
_PAUSE = 0.2


def wait_for_lock(try_take: Callable[[], bool], forecast: str, read_holder: Callable[[], str], timeout: float) -> None:
    """Call `try_take` until it takes the forecast's lock. Raises LockHeld with the holder's description after `timeout` s."""
    began = time.monotonic()
    deadline = began + timeout
    waited = False
    while not try_take():
        if time.monotonic() >= deadline:
            raise LockHeld(
                f"another run holds '{forecast}': {read_holder() or 'it has just started'}",
                hint="wait for it with --lock-timeout 10m; the lock is free when its holder ends",
            )
        if not waited:
            logger.info("waiting up to %g s for the lock of %s: %s", timeout, forecast, read_holder() or "just taken")
            waited = True
        time.sleep(min(_PAUSE, max(deadline - time.monotonic(), 0.0)))
    if waited:
        logger.info("the lock of %s is taken after %.1f s", forecast, time.monotonic() - began)


def describe_holder(operation: str, since: str) -> str:
    """Return the description of this process as the holder of a lock."""
    return f"{operation} by {current_user()}, pid {os.getpid()} on {socket.gethostname()}, since {since}"
