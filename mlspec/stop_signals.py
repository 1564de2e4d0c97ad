"""SIGTERM and SIGINT end work by an exception, which is never lost in code that does not hand it on.

A library in C++ turns an exception that is raised while it is initialised into an ImportError of its own, and other libraries catch
every ImportError: the signal would be lost, or be taken for a defect. So the exception waits until no compiled module is being
initialised. A module in Python hands the exception on, so it is raised at once there: importing a library of models takes seconds,
and Airflow kills a task four seconds after it asked it to end. Python 3.11 itself makes a RuntimeError of whatever is raised in
`__set_name__`, which runs while a class is made, and pydantic drops what is raised while it serialises a union, so the exception
waits for those too.

Python itself ignores what is raised in a finalizer or in the callback of a weak reference, and it runs such a callback in every
import. Nobody can know this beforehand, so a signal whose exception was ignored is sent again.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import cache, partial
from importlib.machinery import ExtensionFileLoader
from types import FrameType
from typing import Any

from mlspec.errors import Terminated

LONGEST_WAIT = 3.0
"""Seconds that a signal waits at most for a compiled module: less than the four seconds that Airflow's tasks give."""

_LOOK_AGAIN = 0.02  # seconds between two looks whether the exception can be raised
# By signal that came and is not raised yet: when it is at the latest, on the monotonic clock.
_deadlines: dict[int, float] = {}
_waiting: set[int] = set()  # the signals that a thread is about to send again
_obeyed: set[int] = set()  # the signals that count once, and came


def _forget_signals() -> None:
    """Forget the signals of the process that this one was forked from: they are not for this one, which has no thread of it."""
    _deadlines.clear()
    _waiting.clear()
    _obeyed.clear()


os.register_at_fork(after_in_child=_forget_signals)


def handle_signal(number: int, *, once: bool = False) -> Any:
    """Raise an exception when a signal comes: Terminated for SIGTERM, else KeyboardInterrupt. Return the handler before.

    With `once`, the signal counts when it comes first, and is ignored from then on.
    """
    _watch_ignored_exceptions()
    return signal.signal(number, _raise_once if once else _raise_stop)


def stop_signal_name(stopped: BaseException) -> str:
    """Return the name of the signal that an exception of `handle_signal` stands for."""
    return "SIGTERM" if isinstance(stopped, Terminated) else "SIGINT"


def _raise_stop(number: int, frame: FrameType | None) -> None:
    if not _must_wait(number, frame):
        raise _exception_of(number)


def _raise_once(number: int, frame: FrameType | None) -> None:
    if number not in _obeyed and not _must_wait(number, frame):
        _obeyed.add(number)
        raise _exception_of(number)


def _exception_of(number: int) -> type[BaseException]:
    return Terminated if number == signal.SIGTERM else KeyboardInterrupt


def _must_wait(number: int, frame: FrameType | None) -> bool:
    """Return whether an exception would be lost where a signal came: it is sent again after that."""
    deadline = _deadlines.setdefault(number, time.monotonic() + LONGEST_WAIT)
    if not _would_be_lost(frame) or time.monotonic() >= deadline:
        del _deadlines[number]
        return False
    _send_later(number, deadline)
    return True


def _send_later(number: int, deadline: float) -> None:
    """Let a thread send a signal again, unless one is about to."""
    if number not in _waiting:
        _waiting.add(number)
        threading.Thread(target=_send_again, args=(number, deadline), daemon=True).start()


def _send_again(number: int, deadline: float) -> None:
    """Send a signal to this process when its main thread can raise the exception, or at the deadline."""
    main = threading.main_thread().ident or 0
    while _would_be_lost(sys._current_frames().get(main)) and time.monotonic() < deadline:  # noqa: SLF001  (the documented way)
        time.sleep(_LOOK_AGAIN)
    _waiting.discard(number)
    if number in _deadlines:  # else another signal was raised meanwhile
        os.kill(os.getpid(), number)


@cache
def _watch_ignored_exceptions() -> None:
    """Look at what Python ignores, from now on."""
    sys.unraisablehook = partial(_send_ignored_again, sys.unraisablehook)


def _send_ignored_again(hook_before: Callable[[sys.UnraisableHookArgs], Any], ignored: sys.UnraisableHookArgs) -> None:
    """Send a signal again whose exception Python ignored, or let the hook before say what else it ignored."""
    number = signal.SIGTERM if ignored.exc_type is Terminated else signal.SIGINT
    is_ours = signal.getsignal(number) in (_raise_stop, _raise_once)
    if ignored.exc_type not in (Terminated, KeyboardInterrupt) or not is_ours:
        hook_before(ignored)
        return
    _obeyed.discard(number)
    _send_later(number, _deadlines.setdefault(number, time.monotonic() + LONGEST_WAIT))


# The code of Python that makes and then initialises a compiled module, as frames give it. Which of the two runs
# the module's own code depends on the module (PEP 489). What is raised in a hook of Python is ignored too.
_LOSING = {
    ExtensionFileLoader.create_module.__code__,
    ExtensionFileLoader.exec_module.__code__,
    _send_ignored_again.__code__,
}
# Functions that are known by their names: Python's for a class that is made, and those by which pydantic serialises.
_LOSING_NAMES = {"__set_name__", "model_dump", "model_dump_json", "dump_python"}


def _would_be_lost(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code in _LOSING or frame.f_code.co_name in _LOSING_NAMES:
            return True
        frame = frame.f_back
    return False
