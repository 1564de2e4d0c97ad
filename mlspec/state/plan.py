"""A plan is a value: what would change, why, and which state it was made for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mlspec.state.resource import Json

Action = Literal["create", "update", "replace", "delete", "run", "none"]
ACTIONS: tuple[Action, ...] = ("create", "update", "replace", "delete", "run")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs: its dotted name, what is, what shall be, and what follows from it."""

    field: str
    before: Json
    after: Json
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One resource's step from observed to desired. `action` none says that it is as it shall be."""

    forecast: str
    resource: str
    action: Action
    reason: str
    before: Mapping[str, Json] | None = None
    after: Mapping[str, Json] | None = None
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why one forecast cannot be planned: what is wrong, and what to do about it."""

    forecast: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes, bound to the state (serial, lineage), the specs (hash by forecast) and the commit they were made for.

    `notes` are sentences on what a spec asks for and nothing acts on yet; `impact` on what follows (trainings, cost).
    `obstacles` name the forecasts that no change is known for: their data is not there.
    """

    target: str
    serial: int
    lineage: str
    changes: tuple[Change, ...] = ()
    spec_hashes: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None
    notes: tuple[str, ...] = ()
    impact: tuple[str, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def summary(self) -> dict[str, int]:
        """Number of changes by action; `none` is not counted."""
        counts = Counter(change.action for change in self.changes)
        return {action: counts[action] for action in ACTIONS}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return all(change.action == "none" for change in self.changes)
