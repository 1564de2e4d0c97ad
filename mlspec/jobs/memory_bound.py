"""Lets a step fail with an error when the memory is used up. Without a bound, Linux kills the process, and nobody says why."""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlspec.memory import free_memory


@contextmanager
def bounded_memory(*, starts_others: bool) -> Iterator[None]:
    """Bound this process's memory to what it uses now and what is free now: an allocation beyond it raises MemoryError.

    The limit is RLIMIT_DATA, private memory that can be written, since Linux 4.7 (man 2 setrlimit); elsewhere there is none. A
    process that is started inherits it, so a step that starts some (`starts_others`, a cluster on this machine) runs without.
    """
    if sys.platform != "linux" or starts_others:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _used_memory() + free_memory()
    bounds = [bound for bound in (most, soft, hard) if bound != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _used_memory() -> int:
    match = re.search(r"^VmData:\s+([0-9]+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0
