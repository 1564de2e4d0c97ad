"""Finds specs that would make the same resource: with the same name, or with names that become equal when shortened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mlspec.spec.document import Document
from mlspec.spec.faults import Fault, Problem
from mlspec.spec.gcp.resource_names import derived_names


class NamedSpec(Protocol):
    """A spec with a name."""

    @property
    def name(self) -> str:
        """The forecast's name."""
        ...


def find_collisions(named_specs: Sequence[tuple[Document, NamedSpec]]) -> list[Fault]:
    """Return a fault for each spec that collides with an earlier one. It names the earlier one's file."""
    faults: list[Fault] = []
    owners: dict[tuple[str, str], tuple[str, Document]] = {}
    for document, spec in named_specs:
        for kind, name in {"forecast": spec.name, **derived_names(spec.name)}.items():
            owner, first = owners.setdefault((kind, name), (spec.name, document))
            if first is document:
                continue
            same = f"the name '{spec.name}' is taken by {first.name}" if owner == spec.name else None
            message = (
                same or f"'{spec.name}' collides with '{owner}' in {first.name}: both would have the {kind} '{name}'"
            )
            faults.append(
                document.make_fault(Problem(("metadata", "name"), "collision", message, "choose another name"))
            )
            break
    return faults
