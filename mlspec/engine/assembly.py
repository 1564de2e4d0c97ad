"""Makes the engine on an opened target, for the command line and the Python API."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from mlspec import __version__
from mlspec.engine.context import Engine, ProgressReporter, model_libraries
from mlspec.forecast.code_version import CODE_VERSION
from mlspec.spec.retention import Retention
from mlspec.state.step import StepRunner
from mlspec.targets.base import OpenedTarget
from mlspec.targets.openlineage_receiver import open_reporter

# Where steps run for a target with containers: `local`, in this process, or `cloud-run`, as the forecast's own job. DAGs read it.
RUNNER = "MLSPEC_RUNNER"
# Set by Cloud Run in the container of a task, and by Vertex AI in that of a custom job. Its files are gone with its machine.
_TASK = ("CLOUD_RUN_JOB", "CLOUD_ML_JOB_ID")


def assemble_engine(
    target: OpenedTarget,
    root: Path,
    tell: ProgressReporter,
    *,
    steps: StepRunner,
    clock: Callable[[], str],
    retention: Retention | None = None,
) -> Engine:
    """Return an engine on `target`. `steps` runs the steps of the pipeline; `retention` is the project's, if it may prune."""
    remote = target.containers if os.environ.get(RUNNER) == "cloud-run" else None
    own = target.containers if any(os.environ.get(name) for name in _TASK) else None
    return Engine(
        target=target,
        steps=steps,
        root=root,
        clock=clock,
        code=CODE_VERSION,
        libraries=model_libraries(),
        tell=tell,
        mlspec=__version__,
        run_remote_step=remote.run_remote_step if remote else None,
        retention=retention,
        report_lineage=open_reporter(os.environ),
        keep_unfinished=own.keep_unfinished if own else None,
    )


def ignore_progress(forecast: str, step: str, done: int, total: int, text: str) -> None:
    """Show no progress."""
