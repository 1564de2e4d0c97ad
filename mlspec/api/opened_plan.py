"""Opens the plan of a project for `plan` and `apply`, as the command line does."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from pathlib import Path

from mlspec.clock import utc_now
from mlspec.engine.assembly import assemble_engine, ignore_progress
from mlspec.engine.context import ProgressReporter
from mlspec.engine.project_specs import SPECS_FOLDER, invalid_specs_error, read_project_specs
from mlspec.engine.provision import OpenedPlan, PlanRequest, open_plan
from mlspec.engine.target_kinds import find_target
from mlspec.errors import SpecError
from mlspec.plan.moments import format_moment
from mlspec.spec import Fault, LoadedSpecs
from mlspec.state.step import Progress, StepRequest, StepResult
from mlspec.targets.checkout import git_commit

logger = logging.getLogger(__name__)
_SHOWN = 20  # faults in the message of an error


def open_project_plan(
    root: Path,
    target: str,
    select: tuple[str, ...],
    *,
    tell: ProgressReporter = ignore_progress,
    lock_timeout: float = 0.0,
) -> AbstractContextManager[OpenedPlan]:
    """Return a context manager with the plan for the specs of a project that `select` takes. Raises SpecError with every fault."""
    loaded = read_project_specs([root / SPECS_FOLDER], root, target)
    if loaded.faults:
        raise specs_error(loaded)
    configured = find_target(loaded.project, target)
    engine = assemble_engine(configured.open(root), root, tell, steps=_run_step, clock=_timestamp)
    request = PlanRequest(
        target=configured,
        specs=loaded.specs,
        select=select,
        commit=git_commit(root),
        whole_folder=True,
        tell=logger.info,
        lock_timeout=lock_timeout,
    )
    return open_plan(engine, request)


def _run_step(request: StepRequest, progress: Progress) -> StepResult:
    from mlspec import jobs

    return jobs.run(request, progress)


def _timestamp() -> str:
    return format_moment(utc_now())


def specs_error(loaded: LoadedSpecs) -> SpecError:
    """Return the error that names every fault of the specs, each at its line."""
    lines = [_fault_line(fault) for fault in loaded.faults[:_SHOWN]]
    more = len(loaded.faults) - len(lines)
    return invalid_specs_error(
        loaded, "".join(f"\n{line}" for line in (*lines, *([f"and {more:,} more"] if more > 0 else [])))
    )


def _fault_line(fault: Fault) -> str:
    field = f"{fault.path}: " if fault.path else ""
    hint = f" ({fault.hint})" if fault.hint else ""
    return " ".join(f"{fault.file}:{fault.line}:{fault.column}: {field}{fault.message}{hint}".split())
