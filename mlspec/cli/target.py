"""Opens a target of the project in the working directory, and makes the engine on it."""

from __future__ import annotations

from pathlib import Path

from mlspec.cli.project import find_root, open_specs
from mlspec.clock import utc_now
from mlspec.engine.assembly import assemble_engine
from mlspec.engine.context import Engine, ProgressReporter
from mlspec.engine.target_kinds import open_target
from mlspec.spec.retention import Retention
from mlspec.state.step import Progress, StepRequest, StepResult
from mlspec.targets.base import OpenedTarget


def open_engine(target: OpenedTarget, root: Path, tell: ProgressReporter, retention: Retention | None = None) -> Engine:
    """Return an engine on `target` that runs the jobs. `retention` is the project's, if the engine may prune."""
    return assemble_engine(target, root, tell, steps=_run_step, clock=timestamp, retention=retention)


def _run_step(request: StepRequest, progress: Progress) -> StepResult:
    from mlspec import jobs

    return jobs.run(request, progress)


def timestamp() -> str:
    """Return the present moment as RFC 3339 in UTC, to the second."""
    return utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")


def open_here(name: str) -> OpenedTarget:
    """Return the target of this name for commands that need no spec, or that do without invalid ones: reads only mlspec.yaml.

    Raises SpecError if mlspec.yaml is invalid: it says where the record is, and no other record may stand in for it.
    """
    return open_target(open_specs((), name).project, find_root(), name)
