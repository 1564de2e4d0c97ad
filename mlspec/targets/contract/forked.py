"""Runs work in forked processes, as other runs on this machine would: one, or several at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

# A return value that is a number is the code that the process exits with; otherwise it is 0, or 1 if the work raises.
Work = Callable[[], object]


def start_child(work: Work) -> int:
    """Start work in a forked process, and return its id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            result = work()
            code = result if isinstance(result, int) else 0
        finally:
            os._exit(code)
    return child


def exit_code_of(child: int) -> int:
    """Wait for a child, and return how it ended: its exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def in_child(work: Work) -> int:
    """Run work in a forked process, and return how it ended."""
    return exit_code_of(start_child(work))


def in_children(works: Iterable[Work]) -> list[int]:
    """Run work in forked processes at once, and return how each ended."""
    children = [start_child(work) for work in works]
    return [exit_code_of(child) for child in children]
