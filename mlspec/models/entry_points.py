"""Finds what installed packages bring, by the entry points of a group. Nothing of a package is imported to find it.

https://packaging.python.org/en/latest/specifications/entry-points/ has the form.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mlspec.errors import SpecError


@dataclass(frozen=True)
class PackageEntry:
    """One entry point: its name, what Python imports (`tiny_costs:COST`), and the name and version of its distribution."""

    name: str
    import_name: str
    package: str

    @property
    def owner(self) -> str:
        """The name of the distribution."""
        return self.package.partition(" ")[0]


def find_entries(group: str) -> tuple[PackageEntry, ...]:
    """Return all entry points of a group, sorted. They are read once, and again after a package was installed or removed."""
    return _read_entries(group, tuple(_folder_states(sys.path)))


def find_entry(group: str, name: str, hint: str) -> PackageEntry:
    """Return the entry point of a name. Raises SpecError if no package has it, with `hint`, or if several packages do."""
    offered = find_entries(group)
    found = [entry for entry in offered if entry.name == name]
    if not found:
        names = ", ".join(sorted({entry.name for entry in offered})) or "none"
        raise SpecError(
            f"no installed package has an entry point '{name}' of the group {group}; there is: {names}", hint=hint
        )
    if len(found) > 1:
        owners = ", ".join(sorted(entry.owner for entry in found))
        raise SpecError(f"several packages have an entry point '{name}': {owners}", hint="uninstall all but one")
    return found[0]


def import_object(entry: PackageEntry) -> object:
    """Import the package of an entry point, and return what it names. Raises whatever the package raises."""
    from importlib.metadata import EntryPoint

    return EntryPoint(entry.name, entry.import_name, "").load()


def _folder_states(folders: Iterable[str]) -> Iterable[tuple[str, int]]:
    """Yield each folder that may have packages, with the moment when something was put into it or taken out last."""
    for folder in folders:
        try:
            yield folder, Path(folder).stat().st_mtime_ns
        except (OSError, ValueError):  # ValueError: a name that no file can have
            yield folder, 0


@lru_cache(maxsize=8)
def _read_entries(group: str, _states: tuple[tuple[str, int], ...]) -> tuple[PackageEntry, ...]:
    from importlib.metadata import entry_points

    found = {
        (point.name, point.value.partition("[")[0].replace(" ", ""), f"{point.dist.name} {point.dist.version}")
        for point in entry_points(group=group)
        if point.dist
    }
    return tuple(PackageEntry(*parts) for parts in sorted(found))
