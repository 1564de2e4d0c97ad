"""How much memory a step may use on this machine, and where that limit comes from.

Without a limit of its own, a process that needs more than there is gets killed in the middle, and nobody says why.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlspec.control_groups import V1, V2, group_folders
from mlspec.errors import UsageError

VARIABLE = "MLSPEC_MEMORY_LIMIT"
_SIZE = re.compile(r"([0-9]{1,15}) ?([A-Za-z]{0,3})")
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}  # `8G`, `8GiB` and `8GB` are the same here
# Version of the interface of control groups: files of limit and use, and the line of `memory.stat` for what can be taken back.
_GROUP_FILES = {
    V2: ("memory.max", "memory.current", "inactive_file"),
    V1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
HINT = f"use a machine or a container with more memory, or set {VARIABLE} to what this one can spare, such as 24GiB"


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A number of bytes, and in words where it comes from."""

    size: int
    origin: str

    def __str__(self) -> str:
        return f"{format_size(self.size)} ({self.origin})"


def format_size(size: float) -> str:
    """Return bytes as people read them: `8.6 GiB`."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def step_memory(environment: Mapping[str, str] | None = None, root: Path = Path("/")) -> MemoryLimit:
    """Return the most memory that a step may use: the variable's value, else what the container or the machine has in all.

    `root` is where `/proc` and `/sys` are. Raises UsageError if the variable is no size.
    """
    text = (os.environ if environment is None else environment).get(VARIABLE)
    if text:
        return MemoryLimit(_parse_size(text), f"the environment variable {VARIABLE}")
    machine = _read_machine(root, "MemTotal")
    limits = [MemoryLimit(limit, "the limit of this container") for limit, _used in _group_limits(root)]
    return min([MemoryLimit(machine, "the memory of this machine"), *limits], key=lambda limit: limit.size)


def free_memory(environment: Mapping[str, str] | None = None, root: Path = Path("/")) -> int:
    """Return the bytes that a process can still take now, without a process being killed for it."""
    text = (os.environ if environment is None else environment).get(VARIABLE)
    free = _read_machine(root, "MemAvailable") + _read_machine(root, "SwapFree", 0)
    own = [max(limit - used, 0) for limit, used in _group_limits(root)]
    return min([free, *own, *([_parse_size(text)] if text else [])])


def _parse_size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(match[2].lower().removesuffix("b").removesuffix("i")) if match else None
    if match is None or unit is None or int(match[1]) == 0:
        raise UsageError(
            f"{VARIABLE} is '{text[:40]}', which is no size", hint="write a number with a unit: 24GiB, 800MiB"
        )
    return int(match[1]) * unit


def _read_machine(root: Path, key: str, missing: int | None = None) -> int:
    """Return a value of /proc/meminfo; where there is none (macOS), `missing` or the machine's memory."""
    try:
        match = re.search(rf"^{key}:\s+([0-9]+) kB", (root / "proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        match = None
    if match:
        return int(match[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if missing is None else missing


def _group_limits(root: Path) -> Iterator[tuple[int, int]]:
    """Yield limit and use of the control groups that this process is in.

    What the kernel can take back at once (`inactive_file`) is not counted as used. Source: docs.kernel.org, cgroup-v2, "Memory".
    """
    for version, folder in group_folders(root, "memory"):
        limit_file, used_file, reclaimable = _GROUP_FILES[version]
        limit, used = _read_number(folder / limit_file), _read_number(folder / used_file)
        if limit is not None and used is not None:
            yield limit, max(used - _read_reclaimable(folder, reclaimable), 0)


def _read_number(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None  # `max`: no limit


def _read_reclaimable(folder: Path, key: str) -> int:
    try:
        match = re.search(rf"^{key} ([0-9]+)$", (folder / "memory.stat").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(match[1]) if match else 0
