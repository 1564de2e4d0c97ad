"""The first part of plan, apply and the loop: reads the specs, opens the target, and passes both to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from mlspec.cli.messages import report
from mlspec.cli.project import find_root, is_folder, load_specs, open_specs
from mlspec.cli.senders import NoticeSettings, notice_settings
from mlspec.cli.target import open_engine, open_here
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.context import Engine, ProgressReporter
from mlspec.engine.plan import make_plan
from mlspec.engine.provision import OpenedPlan, PlanRequest, open_plan
from mlspec.engine.target_kinds import find_target
from mlspec.plan.select import select_names
from mlspec.spec import Fault, ResolvedSpec
from mlspec.targets.checkout import git_commit


@dataclass(frozen=True)
class LoopInput:
    """The valid specs, the faults of the others, the engine on the target, and what the project says of its notices."""

    specs: tuple[ResolvedSpec, ...]
    faults: tuple[Fault, ...]
    engine: Engine
    notices: NoticeSettings


def load_loop_input(paths: Sequence[Path], target: str, select: Sequence[str], tell: ProgressReporter) -> LoopInput:
    """Return the specs under `paths` that `select` takes, for the loop: a spec with a fault does not stop the others.

    Raises SpecError if mlspec.yaml is invalid.
    """
    root = find_root()
    loaded = load_specs(paths, target)
    retention = loaded.project.retention if loaded.project else None
    engine = open_engine(open_here(target), root, tell, retention)
    names = select_names(lambda: make_plan(engine, loaded.specs, None), select, [spec.name for spec in loaded.specs])
    chosen_specs = tuple(spec for spec in loaded.specs if spec.name in names)
    return LoopInput(chosen_specs, loaded.faults, engine, notice_settings(loaded.project))


def open_plan_here(
    paths: Sequence[Path],
    target: str,
    select: Sequence[str],
    tell: ProgressReporter = ignore_progress,
    lock_timeout: float = 0.0,
    *,
    hand_over: bool = False,
) -> AbstractContextManager[OpenedPlan]:
    """Return a context manager with the plan for the specs under `paths` that `select` takes; `hand_over`: to the loop."""
    root, loaded = find_root(), open_specs(paths, target)
    configured = find_target(loaded.project, target)
    request = PlanRequest(
        target=configured,
        specs=loaded.specs,
        select=select,
        commit=git_commit(root),
        whole_folder=any(is_folder(path, root) for path in paths),
        tell=report,
        lock_timeout=lock_timeout,
        hand_over=hand_over,
    )
    return open_plan(open_engine(configured.open(root), root, tell), request)
