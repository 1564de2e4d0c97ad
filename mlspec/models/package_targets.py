"""Which kinds of target installed packages bring, by entry points of the group `mlspec.targets`. Nothing of a package is imported.

An entry point's name is a `type` under `targets` in mlspec.yaml. `targets.package` says what it names.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from mlspec.errors import SpecError
from mlspec.models.entry_points import PackageEntry, find_entries, find_entry

GROUP = "mlspec.targets"
TYPE_FORM = "up to 40 lower-case letters, digits and hyphens, a letter first, no hyphen last"
_TYPE = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")


def offered_types() -> tuple[str, ...]:
    """Return the types of target that installed packages bring, sorted."""
    return tuple(dict.fromkeys(entry.name for entry in find_entries(GROUP)))


def find_type(name: str, built_in: Collection[str]) -> PackageEntry:
    """Return the entry point of a type of target.

    Raises SpecError if no package has it, if several packages do, or if it is no name of a type. A package that also brings a type
    in `built_in` is refused: nobody could tell which one mlspec.yaml means.
    """
    entry = find_entry(GROUP, name, "install the package that brings it (docs/own-target.md), or correct `type`")
    if problem := find_name_problem(entry, built_in):
        raise SpecError(problem, hint="give the entry point of the package another name")
    return entry


def find_name_problem(entry: PackageEntry, built_in: Collection[str]) -> str | None:
    """Return what is wrong with the names of types that the package of an entry point brings; None if nothing is."""
    if not _TYPE.fullmatch(entry.name):
        return f"{entry.package} brings targets of the type '{entry.name}', and a type's name is {TYPE_FORM}"
    own = (other.name for other in find_entries(GROUP) if other.package == entry.package)
    clash = next((name for name in own if name in built_in), None)
    return clash and f"{entry.package} brings targets of the type '{clash}', and mlspec has a type of this name itself"
