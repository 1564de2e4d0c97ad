"""How many processors a step may use on this machine: those of the process, of its container, or what the environment says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlspec.control_groups import V1, V2, group_folders
from mlspec.errors import UsageError

VARIABLE = "MLSPEC_PROCESSORS"
# Version of the interface of control groups: the files with the time in a period, and the period.
_GROUP_FILES = {V2: ("cpu.max",), V1: ("cpu.cfs_quota_us", "cpu.cfs_period_us")}


def usable_processors(environment: Mapping[str, str] | None = None, root: Path = Path("/")) -> int:
    """Return the number of processors that a step may use, at least 1. A container's share of one counts as one.

    `root` is where `/proc` and `/sys` are. Raises UsageError if the variable is no number of processors.
    """
    text = (os.environ if environment is None else environment).get(VARIABLE)
    if text:
        return _parse_number(text)
    return max(1, min([_process_processors(), *(int(share) for share in _group_shares(root))]))


def share_processors(at_once: int) -> None:
    """Let this process, one of `at_once` that work at the same time, use its share of the processors, and no more."""
    os.environ[VARIABLE] = str(max(1, usable_processors() // at_once))


def _parse_number(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text.strip()):
        raise UsageError(
            f"{VARIABLE} is '{text[:40]}', which is no number of processors",
            hint="write a whole number from 1 on, such as 4",
        )
    return int(text)


def _process_processors() -> int:
    """Return the processors that the system schedules this process on: fewer than the machine's under `taskset`."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _group_shares(root: Path) -> Iterator[float]:
    """Yield the processors' time that this process's control groups allow, in processors.

    Sources: docs.kernel.org, cgroup-v2, `cpu.max` ("$MAX $PERIOD", in microseconds); scheduler/sched-bwc for version 1.
    """
    for version, folder in group_folders(root, "cpu"):
        try:
            words = " ".join((folder / file).read_text() for file in _GROUP_FILES[version]).split()
        except OSError:
            continue
        if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]):  # `max` and -1: no limit
            yield int(words[0]) / int(words[1])
