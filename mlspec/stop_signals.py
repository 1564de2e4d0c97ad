"""SIGTERM and SIGINT end work by an exception, which is raised only when no compiled module is being initialised.

A library in C++ turns an exception that is raised while it is initialised into an ImportError of its own, and other libraries catch
every ImportError: the signal would be lost, or be taken for a defect. A module in Python hands the exception on, so it is raised at
once there: importing a library of models takes seconds, and Airflow kills a task four seconds after it asked it to end.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from importlib.machinery import ExtensionFileLoader
from types import FrameType

from mlspec.errors import Terminated

LONGEST_WAIT = 3.0
"""Seconds that a signal waits at most for a compiled module: less than the four seconds that Airflow's tasks give."""

_LOOK_AGAIN = 0.02  # seconds between two looks whether the module is initialised
# The code of Python that makes and then initialises a compiled module, as frames give it. Which of the two runs
# the module's own code depends on the module (PEP 489).
_INITIALISING = {ExtensionFileLoader.create_module.__code__, ExtensionFileLoader.exec_module.__code__}
# By signal that came and is not raised yet: when it is at the latest, on the monotonic clock.
_deadlines: dict[int, float] = {}
_waiting: set[int] = set()  # the signals that a thread is about to send again


def _forget_signals() -> None:
    """Forget the signals of the process that this one was forked from: they are not for this one, which has no thread of it."""
    _deadlines.clear()
    _waiting.clear()


os.register_at_fork(after_in_child=_forget_signals)


def raise_stop(number: int, frame: FrameType | None) -> None:
    """Raise Terminated for SIGTERM, and KeyboardInterrupt for another signal, once no compiled module is being initialised."""
    if must_wait(number, frame):
        return
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def must_wait(number: int, frame: FrameType | None) -> bool:
    """Return whether a signal came while a compiled module was being initialised: it is sent again after that."""
    deadline = _deadlines.setdefault(number, time.monotonic() + LONGEST_WAIT)
    if not _is_initialising(frame) or time.monotonic() >= deadline:
        del _deadlines[number]
        return False
    if number not in _waiting:
        _waiting.add(number)
        threading.Thread(target=_send_again, args=(number, deadline), daemon=True).start()
    return True


def _send_again(number: int, deadline: float) -> None:
    """Send a signal to this process when its main thread initialises no compiled module any more, or at the deadline."""
    main = threading.main_thread().ident or 0
    while _is_initialising(sys._current_frames().get(main)) and time.monotonic() < deadline:  # noqa: SLF001  (the documented way)
        time.sleep(_LOOK_AGAIN)
    _waiting.discard(number)
    if number in _deadlines:  # else another signal was raised meanwhile
        os.kill(os.getpid(), number)


def _is_initialising(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code in _INITIALISING:
            return True
        frame = frame.f_back
    return False
