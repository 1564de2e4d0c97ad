"""The steps of one pass over a forecast, in order: the loop makes them in one process, a DAG as tasks of its own.

This is the one table of them. `engine.reconcile` and `engine.steps` carry it out, and `render.dag` writes it into a DAG.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlspec.state.resource import Kind

PassStepName = Literal[
    "check", "evaluate", "move-traffic", "backtest", "gate", "train", "register", "roll-out", "forecast", "finish"
]
# When a step runs: after success of every step before it; whatever became of them; or if none of them failed (one may have been
# left out, because a verdict said so).
RunsAfter = Literal["success", "any end", "no failure"]


@dataclass(frozen=True, slots=True)
class PassStep:
    """One step. `after` are the steps before it. `task` is its name in a DAG, where a hyphen is no part of a name.

    `kind` is the resource that it changes. `acts` says that it may change what serves, or notifies people: it runs under the
    loop's account; all others only measure, and record what they measured. `part` says that it is a part of the step `register`:
    it stores results, so that `register` takes them from the store. The loop leaves parts out.
    """

    name: PassStepName
    task: str
    after: tuple[PassStepName, ...] = ()
    runs: RunsAfter = "success"
    kind: Kind | None = None
    acts: bool = False
    part: bool = False


PASS_STEPS: tuple[PassStep, ...] = (
    PassStep("check", "check", kind="data"),
    # Watching goes on where data is refused or missing, on the data that was checked last.
    PassStep("evaluate", "evaluate", ("check",), runs="any end"),
    PassStep("move-traffic", "move_traffic", ("evaluate",), acts=True),
    PassStep("backtest", "backtest", ("check", "move-traffic"), kind="model", part=True),
    PassStep("gate", "gate", ("backtest",), kind="model", part=True),
    PassStep("train", "train", ("gate",), kind="model", part=True),
    PassStep("register", "register", ("train",), kind="model", acts=True),
    # Also where the gate kept a version out: then the forecast is made with what serves.
    PassStep("roll-out", "roll_out", ("register",), runs="no failure", kind="deployment", acts=True),
    PassStep("forecast", "make_forecast", ("roll-out",), kind="forecast"),
    # Whatever failed: what was seen is recorded, and people are notified.
    PassStep("finish", "finish", ("forecast",), runs="any end", acts=True),
)
STEP_NAMES: tuple[PassStepName, ...] = tuple(step.name for step in PASS_STEPS)


def pass_step(name: str) -> PassStep:
    """Return the step of this name. Raises StopIteration if there is none."""
    return next(step for step in PASS_STEPS if step.name == name)


def steps_of(kind: Kind) -> frozenset[PassStepName]:
    """Return the steps that change a kind of resource."""
    return frozenset(step.name for step in PASS_STEPS if step.kind == kind)


def changes_resource(name: str) -> bool:
    """Return whether the step of this name changes a resource. Of no step (an empty name) it is False."""
    return any(step.name == name and step.kind for step in PASS_STEPS)


def whole_steps_before(step: PassStep) -> frozenset[PassStepName]:
    """Return the steps that a step directly stands on, with the steps that a part stands on in its place."""
    before = (pass_step(name) for name in step.after)
    return frozenset().union(*(whole_steps_before(other) if other.part else {other.name} for other in before))
