"""Makes the engine on an opened target, for the command line and the Python API."""

from __future__ import annotations

import os
import re
import subprocess
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
# Not `describe --dirty`, which writes git's index: reading must change nothing.
_GIT_STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")


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
    )


def ignore_progress(forecast: str, step: str, done: int, total: int, text: str) -> None:
    """Show no progress."""


def git_commit(root: Path) -> str | None:
    """Return the project's present commit, with the suffix `-dirty` if specs differ from it; None without git."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    argv = ["git", "--no-optional-locks", "-C", str(root), *_GIT_STATUS]
    try:
        git_status = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    commit = re.search(r"^# branch\.oid ([0-9a-f]{40,64})$", git_status.stdout, re.MULTILINE)
    dirty = any(not line.startswith("#") for line in git_status.stdout.splitlines())
    return f"{commit[1]}{'-dirty' if dirty else ''}" if commit else None
