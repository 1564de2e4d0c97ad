"""Waits for conditions, never for a time: what other processes do comes when it comes."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

PATIENCE = float(os.environ.get("MLSPEC_PATIENCE", "90"))  # seconds until a condition that never comes fails a test
# The same for a program that a test needs before it begins; tests/mutations shortens PATIENCE, and not this.
STARTING = 90.0


def until(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait for a condition, and return what it returned."""
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, "this never came"
        threading.Event().wait(0.05)
    return found


def skip_pauses(patch: pytest.MonkeyPatch) -> list[float]:
    """Let each pause be over at once, as if its time had gone by, and return the list to which the pauses come."""
    pauses, now = list[float](), time.monotonic
    patch.setattr(time, "sleep", pauses.append)
    patch.setattr(time, "monotonic", lambda: now() + sum(pauses))
    return pauses


def free_port() -> int:
    """A port on which nobody listens, for a server that has to be told one.

    The kernel hands out ports from 32768 on, to whoever asks for any: one of those may be taken before the server has started.
    Ray takes ports up to 23999 for its workers and for the servers of its clients.
    """
    while True:
        port = random.SystemRandom().randrange(24_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def listens(port: int) -> bool:
    """Whether somebody takes calls on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
