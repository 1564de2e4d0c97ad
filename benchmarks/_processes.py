"""Runs a process to its end, and measures it from outside: seconds, processor time, peak of memory with all its children."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.1  # seconds between two looks at the memory, at least
REST = 20  # times as long as a look takes, at least: to look holds up a process that has much memory


@dataclass(frozen=True)
class Measured:
    """What a process took: `seconds` of the clock, `busy` seconds of processors, `peak` bytes; and what it printed."""

    seconds: float
    busy: float
    peak: int
    printed: str

    def __add__(self, other: Measured) -> Measured:
        """Return what two processes took, one after the other."""
        return Measured(self.seconds + other.seconds, self.busy + other.busy, max(self.peak, other.peak), other.printed)


def measure(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> Measured:
    """Run a Python script with the same interpreter. Raises CalledProcessError if it fails.

    The peak is the larger of Linux's own for the process (VmHWM), and of the sums over the process and its children that are seen.
    A page that several processes share counts once (PSS).
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(
            [sys.executable, *argv], stdout=printed, env={**os.environ, **(environment or {})}, start_new_session=True
        )
        peaks, ended = [0], threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, peaks, ended))
        watcher.start()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        ended.set()
        watcher.join()
        printed.seek(0)
        text = printed.read().decode()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, [*argv], text)
    return Measured(seconds, used.ru_utime + used.ru_stime, max(*peaks, used.ru_maxrss * 1024), text)


def own_peak() -> int:
    """Return the most memory that this process ever had, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found
    return int(found[1]) * 1024


def _watch(pid: int, peaks: list[int], ended: threading.Event) -> None:
    pause = EVERY
    while not ended.wait(pause):
        began = time.perf_counter()
        family = _family(pid)
        if len(family) > 1:  # of a single process Linux knows the peak itself
            peaks.append(sum(map(_shared_out, family)))
        pause = max(EVERY, REST * (time.perf_counter() - began))


def _family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    family = [pid]
    for member in family:
        with suppress(OSError):
            family += map(int, Path(f"/proc/{member}/task/{member}/children").read_text().split())
    return family


def _shared_out(pid: int) -> int:
    """Return the memory of a process, with its part of what it shares."""
    with suppress(OSError):
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else 0
    return 0
