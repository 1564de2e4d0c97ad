"""The first part of plan and apply: reads the specs, opens the target, makes the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlspec.cli.project import find_root, load_specs, open_specs
from mlspec.cli.select import select_names
from mlspec.cli.target import AnyTarget, git_commit, open_engine, open_target
from mlspec.engine.context import Engine, ProgressReporter
from mlspec.engine.plan import make_plan
from mlspec.spec import Fault, ResolvedSpec
from mlspec.state.plan import Plan


@dataclass(frozen=True)
class PlannedRun:
    """A plan, its specs, and the engine that can apply it."""

    plan: Plan
    specs: tuple[ResolvedSpec, ...]
    engine: Engine


@dataclass(frozen=True)
class LoopInput:
    """The valid specs, the faults of the others, the target, and the engine on it."""

    specs: tuple[ResolvedSpec, ...]
    faults: tuple[Fault, ...]
    target: AnyTarget
    engine: Engine


def load_loop_input(paths: Sequence[Path], target: str, select: Sequence[str], tell: ProgressReporter) -> LoopInput:
    """Return the specs under `paths` that `select` takes, for the loop: a file with a fault does not stop the others."""
    root = find_root()
    loaded = load_specs(paths, target)
    opened_target = open_target(loaded.project, root, target)
    engine = open_engine(opened_target, root, tell)
    names = select_names(lambda: make_plan(engine, loaded.specs, None), select, [spec.name for spec in loaded.specs])
    return LoopInput(tuple(spec for spec in loaded.specs if spec.name in names), loaded.faults, opened_target, engine)


def ignore_progress(forecast: str, step: str, done: int, total: int, text: str) -> None:
    """Show no progress."""


def plan_run(
    paths: Sequence[Path], target: str, select: Sequence[str], tell: ProgressReporter = ignore_progress
) -> PlannedRun:
    """Return the plan for the specs under `paths` that `select` takes. Raises TargetError if apply cannot reach the target."""
    root = find_root()
    loaded = open_specs(paths, target)
    engine = open_engine(open_target(loaded.project, root, target), root, tell)
    commit = git_commit(root)
    names = select_names(lambda: make_plan(engine, loaded.specs, commit), select, [spec.name for spec in loaded.specs])
    specs = tuple(spec for spec in loaded.specs if spec.name in names)
    return PlannedRun(make_plan(engine, specs, commit), specs, engine)
