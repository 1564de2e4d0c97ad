"""One step of the pipeline: what it is given and what it hands back.

The engine asks, a job answers, in this process, in a container or as a task of a DAG: the same two values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from mlspec.state.record import FileRef
from mlspec.state.resource import Json

# The option of `forecast` that asks for what a server is to be asked, and what its inputs begin with that are the answers.
INSTANCES, PREDICTIONS = "instances", "predictions-"
StepName = Literal["check", "backtest", "train", "forecast", "inventory", "evaluate"]


@dataclass(frozen=True, slots=True)
class StepRequest:
    """`spec` is the resolved forecast as JSON; `root` the project's root; `inputs` files by role; `out` an empty folder.

    `options` are a step's own words: `candidate` (train), `version` and `cutoff` (forecast), `now` (check, evaluate; RFC 3339).
    """

    step: StepName
    spec: Mapping[str, Json]
    root: Path
    out: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoteStep:
    """A step that is run where its files are: `inputs` are named, not brought near; `key` is the digest of all that it depends on.

    `out` is an empty folder here, for what comes back.
    """

    forecast: str
    step: StepName
    key: str
    spec: Mapping[str, Json]
    inputs: Mapping[str, FileRef]
    options: Mapping[str, Json]
    out: Path


@dataclass(frozen=True, slots=True)
class StepResult:
    """`outputs` are files in the request's `out`, by role; `facts` are JSON, small, and all that a decision may need."""

    outputs: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)


# Called as work goes on: steps done, steps in all, what is being done.
Progress = Callable[[int, int, str], None]


class StepRunner(Protocol):
    """Whoever can run a step."""

    def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
        """Run one step to its end. Raises DataError or ModelError for the reader; nothing is recorded here."""
        ...
