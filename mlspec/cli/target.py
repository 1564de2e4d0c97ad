"""Opens a target of the project in the working directory, and makes the engine on it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from mlspec import __version__
from mlspec.cli.clock import utc_now
from mlspec.cli.project import find_root, open_specs
from mlspec.engine.context import Engine, ProgressReporter, model_libraries
from mlspec.engine.target_kinds import open_target
from mlspec.forecast.code_version import CODE_VERSION
from mlspec.spec.retention import Retention
from mlspec.state.step import Progress, StepRequest, StepResult
from mlspec.targets.base import OpenedTarget

# Where steps run for a target with containers: `local`, in this process, or `cloud-run`, as the forecast's own job. DAGs read it.
RUNNER = "MLSPEC_RUNNER"
# Not `describe --dirty`, which writes git's index: reading must change nothing.
_GIT_STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")


def open_engine(target: OpenedTarget, root: Path, tell: ProgressReporter, retention: Retention | None = None) -> Engine:
    """Return an engine on `target`. This is the only place that connects the engine with the jobs.

    `retention` is the project's, if the engine may prune.
    """
    remote = target.containers if os.environ.get(RUNNER) == "cloud-run" else None
    return Engine(
        target=target,
        steps=_run_step,
        root=root,
        clock=timestamp,
        code=CODE_VERSION,
        libraries=model_libraries(),
        tell=tell,
        mlspec=__version__,
        run_remote_step=remote.run_remote_step if remote else None,
        retention=retention,
    )


def _run_step(request: StepRequest, progress: Progress) -> StepResult:
    from mlspec import jobs

    return jobs.run(request, progress)


def timestamp() -> str:
    """Return the present moment as RFC 3339 in UTC, to the second."""
    return utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")


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


def open_here(name: str) -> OpenedTarget:
    """Return the target of this name for commands that need no spec: reads only mlspec.yaml."""
    return open_target(open_specs((), name).project, find_root(), name)
