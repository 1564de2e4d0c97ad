"""One writer a forecast. `flock` belongs to the process: the kernel frees it when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlspec.errors import LockHeld
from mlspec.targets.local import durable

_PAUSE = 0.2


@contextmanager
def hold(path: Path, forecast: str, operation: str, since: str, timeout: float) -> Iterator[None]:
    """Hold `path` alone, or raise LockHeld with the holder's own words after `timeout` seconds of waiting."""
    durable.make_folder(path.parent)
    with durable.words_for(f"open {path.name}"):
        file = path.open("a+", encoding="utf-8")
    with file:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LockHeld(
                        f"another run holds '{forecast}': {_holder(path)}",
                        hint="wait for it with --lock-timeout 10m; a holder that has died frees the lock by itself",
                    ) from None
                time.sleep(min(_PAUSE, max(deadline - time.monotonic(), 0.0)))
        file.truncate(0)
        file.write(f"{operation} by {_user()}, pid {os.getpid()} on {socket.gethostname()}, since {since}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process is inside this block for `folder`, which must be there; for what takes a moment."""
    with durable.words_for(f"open {folder.name}"):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _holder(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() or "it has just started"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no entry in the password file
        return f"uid {os.getuid()}"
