"""The observed state of one forecast on a target: the resources that apply made there, and whether they are intact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mlspec.state.ledger import Ledger
from mlspec.state.notice import PendingNotice
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.resource import Json, Kind, Resource


@dataclass(frozen=True, slots=True)
class ObservedResource:
    """One resource as the target holds it. `facts` are the results of making it; `damage` says what is missing or changed since.

    `outdated` says, of an intact deployment, that its containers bring along other data than that of the newest forecast.
    """

    resource: Resource
    facts: Mapping[str, Json] = field(default_factory=dict)
    files: Mapping[str, FileRef] = field(default_factory=dict)
    damage: str | None = None
    outdated: str | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """All that a target holds of one forecast, by kind of resource.

    `failed` holds the error of the last attempt at a resource, if none has succeeded since. `ledger` is what the loop
    remembers.
    """

    forecast: str
    resources: Mapping[Kind, ObservedResource] = field(default_factory=dict)
    failed: Mapping[Kind, str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    conditions: tuple[Condition, ...] = ()

    def intact_fields(self, kind: Kind) -> Mapping[str, Json] | None:
        """Return the fields that a resource was made with; None if it does not exist or is damaged."""
        resource = self.resources.get(kind)
        return None if resource is None or resource.damage else resource.resource.fields

    def find_fact(self, kind: Kind, name: str) -> Json:
        """Return one fact of a resource, or None."""
        resource = self.resources.get(kind)
        return resource.facts.get(name) if resource else None


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """A forecast's source files as they are now, not parsed: `digest` over their content, `size` in bytes.

    The digest does not depend on how lines of text end. `byte_digest` does, where it is another one: release 0.1.0 recorded it.
    """

    digest: str
    files: tuple[str, ...]
    size: int
    byte_digest: str | None = None

    def as_recorded(self, digest: object) -> SourceFacts:
        """Return the facts with the digest that an older release recorded of the same bytes, if it recorded this one."""
        if self.byte_digest is None or self.byte_digest != digest:
            return self
        return replace(self, digest=self.byte_digest)


@dataclass(frozen=True, slots=True)
class StoredStep:
    """The stored result of a finished step: outputs by role, and facts."""

    outputs: Mapping[str, FileRef]
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class RecordedCheck:
    """A check of the data that is recorded: when it was made (RFC 3339), and what it found."""

    at: str
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Settlement:
    """Everything that one effect records, in one transaction: all of it or nothing.

    `forgotten_kinds` are kinds of resource that no longer exist. A condition replaces the one of the same type; a ledger
    replaces the previous ledger. Each of `notices` is put into the outbox once. `resent` are entries of the outbox that are tried
    again, or given up, `discarded` those that nobody needs any more.
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
    resent: tuple[PendingNotice, ...] = ()
    discarded: tuple[PendingNotice, ...] = ()
