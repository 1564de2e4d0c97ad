"""How many processors a step may use on this machine: those of the process, of its container, or what the environment says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlspec.errors import UsageError

VARIABLE = "MLSPEC_PROCESSORS"


def usable_processors(environment: Mapping[str, str] | None = None, root: Path = Path("/")) -> int:
    """Return the number of processors that a step may use, at least 1. A container's share of one counts as one.

    `root` is where `/proc` and `/sys` are. Raises UsageError if the variable is no number of processors.
    """
    text = (os.environ if environment is None else environment).get(VARIABLE)
    if text:
        return _parse_number(text)
    return max(1, min([_process_processors(), *(int(share) for share in _cgroup_shares(root))]))


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


def _cgroup_shares(root: Path) -> Iterator[float]:
    """Yield the processors' time that this process's control groups allow, in processors.

    Sources: docs.kernel.org, cgroup-v2, `cpu.max` ("$MAX $PERIOD", in microseconds); scheduler/sched-bwc for version 1.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _number, controllers, name = line.split(":", 2)
        top = root / "sys/fs/cgroup"
        if controllers == "":
            yield from _group_shares(top, name, ("cpu.max",))
        elif "cpu" in controllers.split(","):
            yield from _group_shares(top / "cpu", name, ("cpu.cfs_quota_us", "cpu.cfs_period_us"))


def _group_shares(top: Path, name: str, files: tuple[str, ...]) -> Iterator[float]:
    """Yield the shares of a group and of those above it. In a container the group's name may lead nowhere; its top is there."""
    group = top / name.strip("/")
    for folder in (group, *(parent for parent in group.parents if parent.is_relative_to(top))):
        try:
            words = " ".join((folder / file).read_text() for file in files).split()
        except OSError:
            continue
        if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]):  # `max` and -1: no limit
            yield int(words[0]) / int(words[1])
