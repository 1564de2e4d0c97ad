"""The control groups of this process: where Linux says how much memory and time of processors a container may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

V1, V2 = 1, 2  # the versions of the interface


def group_folders(root: Path, controller: str) -> Iterator[tuple[int, Path]]:
    """Yield version and folder of each group that limits this process, and of those above it, for `memory` or `cpu`.

    `root` is where `/proc` and `/sys` are. In a container the group's name may lead nowhere; its top is there. Nothing is yielded
    where there are no groups, such as on macOS. Sources: docs.kernel.org, cgroup-v2 and cgroup-v1; man 7 cgroups.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    top = root / "sys/fs/cgroup"
    for line in lines:
        _number, controllers, name = line.split(":", 2)
        if controllers == "":
            yield from ((V2, folder) for folder in _with_parents(top, name))
        elif controller in controllers.split(","):
            yield from ((V1, folder) for folder in _with_parents(top / controller, name))


def _with_parents(top: Path, name: str) -> Iterator[Path]:
    group = top / name.strip("/")
    yield group
    yield from (parent for parent in group.parents if parent.is_relative_to(top))
