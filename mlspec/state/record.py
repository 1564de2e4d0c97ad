"""Records that never change (versions, releases, forecast runs, events), and conditions, which do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mlspec.state.resource import Json, Kind


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file in the artifact store, named by its content. `size` in bytes."""

    sha256: str
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class Version:
    """One trained and judged model. The same lineage gives the same `version`.

    `lineage` holds data_version, spec_hash (of the keys that shape the model), code_version, libraries, seed. `metrics` are the
    champion's over the backtest. `state` is the gate's verdict: `passed` or `rejected`; a rejected version has no model file.
    `reasons` are the gate's sentences, one a rule; `facts` holds the candidate as JSON, so that it can be scored again.
    """

    forecast: str
    version: str
    created: str
    candidate: str
    metrics: Mapping[str, float | None]
    lineage: Mapping[str, Json]
    state: Literal["passed", "rejected"]
    files: Mapping[str, FileRef] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Release:
    """A spec and the version that serves it: they are applied, promoted and rolled back together. Numbered from 1."""

    forecast: str
    release: int
    version: str
    created: str
    spec_hash: str
    spec: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class ForecastRun:
    """One forecast that was made: by which version, from which data, from which cutoff (ISO date or time).

    `backfill_of` is the moment that a backfill made it for, after that moment; None for a forecast that was made in time.
    """

    forecast: str
    version: str
    data_version: str
    cutoff: str
    created: str
    files: Mapping[str, FileRef]
    facts: Mapping[str, Json] = field(default_factory=dict)

    @property
    def backfill_of(self) -> str | None:
        """The moment of a backfill (RFC 3339)."""
        moment: str | None = self.facts.get("backfill_of")
        return moment


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `type` is Normal or Warning; `reason` is one CamelCase word, `message` a sentence."""

    forecast: str
    at: str
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    version: str | None = None


ConditionType = Literal["DataReady", "ModelReady", "Deployed", "Healthy", "Paused", "Progressing"]
# The condition that shows the state of a resource. A batch version is deployed when its forecast is made.
CONDITION_OF: dict[Kind, ConditionType] = {
    "data": "DataReady", "model": "ModelReady", "deployment": "Deployed", "forecast": "Deployed",
}  # fmt: skip
# Condition reasons that mean: the attempt failed, and has to be repeated even if nothing else changes; and the kind that was
# attempted. A release runs no step, so a failed step in Deployed is the forecast's.
FAILURES = ("DataRefused", "StepFailed")
FAILED_KIND: dict[ConditionType, Kind] = {"DataReady": "data", "ModelReady": "model", "Deployed": "forecast"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One aspect of a forecast's state, as in Kubernetes. `since` changes only when `status` does."""

    forecast: str
    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    since: str
