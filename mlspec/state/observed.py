"""What a target shows of one forecast: the resources that apply made there, and whether they are still whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlspec.state.ledger import Ledger
from mlspec.state.notice import PendingNotice
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.resource import Json, Kind, Resource


@dataclass(frozen=True, slots=True)
class ObservedResource:
    """One resource as a target holds it. `facts` is what making it yielded; `damage` says what is missing or changed since."""

    resource: Resource
    facts: Mapping[str, Json] = field(default_factory=dict)
    files: Mapping[str, FileRef] = field(default_factory=dict)
    damage: str | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """All that a target holds of one forecast, by kind of resource.

    `failed` says what the last attempt at a resource failed with, where nothing has succeeded since; `ledger` is what the loop
    remembers.
    """

    forecast: str
    resources: Mapping[Kind, ObservedResource] = field(default_factory=dict)
    failed: Mapping[Kind, str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    conditions: tuple[Condition, ...] = ()

    def intact_fields(self, kind: Kind) -> Mapping[str, Json] | None:
        """The fields that a resource was made with; None where there is none, or where it is damaged."""
        resource = self.resources.get(kind)
        return None if resource is None or resource.damage else resource.resource.fields

    def find_fact(self, kind: Kind, name: str) -> Json:
        """One fact of a resource, or None."""
        resource = self.resources.get(kind)
        return resource.facts.get(name) if resource else None


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What a forecast's source files are now, without reading them as data: `digest` over their bytes, `size` in bytes."""

    digest: str
    files: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class StoredStep:
    """A finished step, as filed: outputs by role, and its facts."""

    outputs: Mapping[str, FileRef]
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Settlement:
    """Everything that one effect leaves behind, recorded in one transaction: all of it or nothing.

    `forget` names kinds of resource that are no more. A condition given here replaces the one of its type, a ledger the one before
    it; `notices` are put into the outbox, once each.
    """

    forecast: str
    resource: ObservedResource | None = None
    forgotten_kinds: tuple[Kind, ...] = ()
    version: Version | None = None
    release: Release | None = None
    run: ForecastRun | None = None
    events: tuple[Event, ...] = ()
    conditions: tuple[Condition, ...] = ()
    ledger: Ledger | None = None
    notices: tuple[PendingNotice, ...] = ()
