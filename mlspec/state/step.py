"""One step of the pipeline: its request and its result.

The engine makes the request and a job returns the result. Both are the same in this process, in a container and in a DAG's
task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from mlspec.state.record import FileRef
from mlspec.state.resource import Json

# The option of the step `forecast` that asks for the instances to send to a server, and the prefix of the inputs with its
# predictions.
INSTANCES, PREDICTIONS = "instances", "predictions-"
StepName = Literal["check", "backtest", "train", "forecast", "inventory", "evaluate"]


@dataclass(frozen=True, slots=True)
class StepRequest:
    """`spec` is the resolved forecast as JSON; `root` the project's root; `inputs` files by role; `out` an empty folder.

    `options` differ by step: `candidate` (train), `version` and `cutoff` (forecast), `now` (check, evaluate; RFC 3339).
    """

    step: StepName
    spec: Mapping[str, Json]
    root: Path
    out: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoteStep:
    """A step that runs where its files are. `inputs` are references to files, which are not downloaded here.

    `key` is the digest of everything that the result depends on. `out` is an empty local folder for the outputs.
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
    """`outputs` are files in the request's `out`, by role. `facts` are small JSON: everything that a decision may need."""

    outputs: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)


# Called as work proceeds: steps done, steps in total, what is being done.
Progress = Callable[[int, int, str], None]


class StepRunner(Protocol):
    """A function that can run a step."""

    def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
        """Run one step to its end. Raises DataError or ModelError with a message for the user. Records nothing."""
        ...
