"""A plan as data: what would change, why, and the state that it was made for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mlspec.state.resource import SHARED, Json

Action = Literal["create", "update", "replace", "delete", "run", "none"]
ACTIONS: tuple[Action, ...] = ("create", "update", "replace", "delete", "run")
# How a summary counts the changes of each action: `2 to create`.
ACTION_WORDS: Mapping[str, str] = {
    "create": "to create", "update": "to change", "replace": "to replace", "delete": "to delete", "run": "to run",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs: its dotted name, the observed value, the desired value, and the effect of the change."""

    field: str
    before: Json
    after: Json
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one resource from observed to desired. `action` is none if both are equal."""

    forecast: str
    resource: str
    action: Action
    reason: str
    before: Mapping[str, Json] | None = None
    after: Mapping[str, Json] | None = None
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The reason why one forecast cannot be planned: what is wrong, and what to do about it."""

    forecast: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes, with the state (serial, lineage) and everything else that they were made from.

    `spec_hashes` are the digests of the specs, by forecast. `inputs` are the digests of what was read beside specs, data and
    state, by its name: the target's settings, rendered files. `commit` only tells a reader where to look. `notes` are sentences
    on parts of a spec that have no effect yet. `impact` are sentences on the consequences (trainings, cost). `obstacles` are the
    forecasts that cannot be planned because their data is missing.
    """

    target: str
    serial: int
    lineage: str
    changes: tuple[Change, ...] = ()
    spec_hashes: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
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


def kept_out_changes(plan: Plan) -> tuple[Change, ...]:
    """Return the changes of the forecasts whose newer version the gate keeps out: nothing to do, and not well."""
    return tuple(
        change
        for change in plan.changes
        if change.action == "none" and "gate" in change.reason and change.resource.startswith("deployment.")
    )


def changed_forecasts(plan: Plan) -> tuple[str, ...]:
    """Return the forecasts that a plan changes, each once, in its order."""
    return tuple(
        dict.fromkeys(
            change.forecast for change in plan.changes if change.action != "none" and change.forecast != SHARED
        )
    )
