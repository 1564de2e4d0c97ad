"""One step of the pipeline: its request and its result.

The engine makes the request and a job returns the result. Both are the same in this process, in a container and in a DAG's
task.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from mlspec.state.record import FileRef
from mlspec.state.resource import Json
from mlspec.state.typed import Shape, matches

Stored = TypeVar("Stored")
# The option of the step `forecast` that asks for the instances to send to the versions' servers, and the prefix of the inputs with
# their predictions.
INSTANCES, PREDICTIONS = "instances", "predictions-"
AS_OF = "as_of"  # the option of the steps `forecast` and `inventory` for a past moment: no row after it is used
# The role of the newest file of a panel, or of the first of its parts by series. Its earlier files have roles that begin so:
# `panel-2023`, `panel-2024-01`. Those of the other parts have a number: `panel-s01-older`, `panel-s01-year`, `panel-s01`.
PANEL = "panel"
_PANEL_ROLE = re.compile(rf"{PANEL}(?:-s(?P<part>[0-9]+))?(?:-(?P<time>.+))?")
# The files of a forecast with a hierarchy: the sums of each level, and by week those of days.
LEVELS, WEEKS = "levels", "weeks"
# The option of the step `evaluate` that asks for the actual values since a date, and the prefix of the files with them, by year.
ACTUALS_SINCE, ACTUALS = "actuals_since", "actuals-"
StepName = Literal["check", "backtest", "train", "forecast", "inventory", "evaluate"]
# Steps that go on from what a run that was killed had made. A fit of trees is one piece, and the others take little time.
KEEPING_STEPS: tuple[StepName, ...] = ("check", "backtest")


class ResultStore(Protocol):
    """Where a step keeps what it has made so far, for the run after one that is killed. A result has the name of its key's digest.

    Both methods raise OSError or an MlspecError if that is not possible. The step goes on without, and the caller says so.
    """

    def read_result(self, name: str) -> bytes | None:
        """Return what an earlier run kept under a name; None if there is nothing."""
        ...

    def write_result(self, name: str, data: bytes) -> None:
        """Keep a result: all of it, or nothing."""
        ...


@dataclass(frozen=True, slots=True)
class StepRequest:
    """`spec` is the resolved forecast as JSON; `root` the project's root; `inputs` files by role; `out` an empty folder.

    `options` differ by step: `candidate` (train), `version` and `cutoffs` (forecast), `as_of` (forecast, inventory; RFC 3339),
    `now` (check, evaluate; RFC 3339), `actuals_since` (evaluate; a date). `kept` is the place for what a run that is stopped leaves
    to the next one; None: nothing is.
    """

    step: StepName
    spec: Mapping[str, Json]
    root: Path
    out: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    options: Mapping[str, Json] = field(default_factory=dict)
    kept: ResultStore | None = None


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


# The facts without which nobody can use the result of a step.
_NEEDED_FACTS: Mapping[StepName, Shape] = {
    "check": {"ok": bool, "checks": list[Mapping[str, Any]], "rows": int, "series": int, "start": str | None, "cutoff": str | None},
    "backtest": {
        "champion": str, "champion_candidate": Mapping, "metrics": Mapping[str, float | None], "cutoffs": list[str],
        "candidates": list[Mapping[str, Any]], "by": list[Mapping[str, Any]], "auto": list[str], "notes": list[str],
        "interval": float | None, "floor": Any, "incumbent": Any, "deployed": Any,
    },
    "evaluate": {"alerts": list[Mapping[str, Any]], "metrics": Mapping[str, float | None]},
}  # fmt: skip


def has_needed_facts(step: StepName, facts: Mapping[str, Json]) -> bool:
    """Return whether a stored result can be used: somebody may have edited it, and the step is then run again."""
    needed = _NEEDED_FACTS.get(step, {})
    return all(name in facts and matches(facts[name], kind) for name, kind in needed.items())


def panel_parts(files: Mapping[str, Stored]) -> dict[str, Stored]:
    """Return the files of the panel, by role: those of each part by series in the order of time, one part after the other."""
    return {role: file for part in panel_series_parts(files) for role, file in part.items()}


def panel_series_parts(files: Mapping[str, Stored]) -> tuple[dict[str, Stored], ...]:
    """Return the files of each part of the panel by series, by role.

    Those of a part are in the order of time: each has the periods before those of the next.
    """
    roles = [match for role in files if (match := _PANEL_ROLE.fullmatch(role))]
    roles.sort(key=lambda role: (int(role["part"] or 0), role["time"] is None, role["time"] or ""))
    parts = groupby(roles, key=lambda role: int(role["part"] or 0))
    return tuple({role[0]: files[role[0]] for role in part} for _, part in parts)


# Called as work proceeds: steps done, steps in total, what is being done.
Progress = Callable[[int, int, str], None]


class StepRunner(Protocol):
    """A function that can run a step."""

    def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
        """Run one step to its end. Raises DataError or ModelError with a message for the user. Records nothing."""
        ...
