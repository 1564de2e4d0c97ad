"""What is told to a lineage receiver of a run of a step: its state, and the data sets that it reads and writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

RunState = Literal["START", "RUNNING", "COMPLETE", "FAIL"]


@dataclass(frozen=True, slots=True)
class LineageDataset:
    """A data set by OpenLineage's convention: `namespace` says where it is, `name` which one it is there."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class LineageEvent:
    """A run of one step reached a state at a moment (RFC 3339). `run` is a UUID, `job` the forecast and the step."""

    run: str
    job: str
    state: RunState
    at: str
    inputs: tuple[LineageDataset, ...] = ()
    outputs: tuple[LineageDataset, ...] = ()
    error: str | None = None


LineageReporter = Callable[[LineageEvent], None]
