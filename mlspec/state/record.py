"""What is recorded once and never changed: versions, releases, forecasts made, events; and conditions, which move."""

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

    `lineage` holds data_version, spec_hash (of what shapes the model), code_version, libraries, seed. `metrics` are the
    champion's over the backtest. `state` is what the gate said: `passed` or `rejected`; a rejected one has no model file.
    `reasons` are the gate's sentences, a line each; `facts` holds the candidate as JSON, so that it can be scored again.
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
    """What is applied, promoted and rolled back as one: a spec and the version that serves it. Numbered from 1."""

    forecast: str
    release: int
    version: str
    created: str
    spec_hash: str
    spec: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class ForecastRun:
    """One forecast made: by which version, from which data, up to which cutoff (ISO date or time)."""

    forecast: str
    version: str
    data_version: str
    cutoff: str
    created: str
    files: Mapping[str, FileRef]
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `type` is Normal or Warning; `reason` is one CamelCase word, `message` a sentence."""

    forecast: str
    at: str
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    version: str | None = None


ConditionType = Literal["DataReady", "ModelReady", "Deployed", "Healthy", "Paused"]
# Which condition tells how a resource is. A batch version is deployed when its forecast is made.
CONDITION_OF: dict[Kind, ConditionType] = {
    "data": "DataReady", "model": "ModelReady", "deployment": "Deployed", "forecast": "Deployed",
}  # fmt: skip
# Reasons of a condition that say that an attempt failed, and has to be made again even if nothing else changes; and what was
# attempted. A release runs no step, so where Deployed says that one failed it is the forecast's.
FAILURES = ("DataRefused", "StepFailed")
FAILED_KIND: dict[ConditionType, Kind] = {"DataReady": "data", "ModelReady": "model", "Deployed": "forecast"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One aspect of a forecast's state, as in Kubernetes. `since` moves only when `status` does."""

    forecast: str
    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    since: str
