"""Opens a target by its name, and makes the engine on it."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Union

from mlspec import __version__
from mlspec.cli.clock import utc_now
from mlspec.engine.context import Engine, ProgressReporter, model_libraries
from mlspec.errors import UsageError
from mlspec.forecast.code_version import CODE_VERSION
from mlspec.spec.faults import did_you_mean
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.project import GcpTargetSettings as GcpSettings
from mlspec.spec.project import LocalTargetSettings as LocalSettings
from mlspec.spec.project import Project
from mlspec.state.step import Progress, StepRequest, StepResult
from mlspec.targets.base import Target
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.record.store import Store

if TYPE_CHECKING:
    from mlspec.targets.gcp.target import GcpTarget

AnyTarget = Union[LocalTarget, "GcpTarget"]

# Where steps run for a target on Google Cloud: `local`, in this process, or `cloud-run`, as the forecast's own job. DAGs read it.
RUNNER = "MLSPEC_RUNNER"
# Not `describe --dirty`, which writes git's index: reading must change nothing.
_GIT_STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")


def open_target(project: Project | None, root: Path, name: str) -> AnyTarget:
    """Return the target of this name, without any request to it. Raises UsageError if there is none."""
    settings = (project.targets if project else {}).get(name)
    if settings is None and name != "local":
        known = ["local", *(project.targets if project else ())]
        raise UsageError(f"there is no target '{name}'", hint=did_you_mean(name, known))
    if isinstance(settings, GcpSettings):
        from mlspec.targets.gcp.target import GcpTarget

        place = GcpLocation(name, settings.project, settings.region, settings.kms_key)
        return GcpTarget(place, cache_folder() / settings.project, protect=settings.protect)
    settings = settings or LocalSettings(type="local")
    folder = root / settings.path
    return LocalTarget(folder, name=name, protect=settings.protect, store=_shared_store(settings.state, folder))


def _shared_store(url: str | None, folder: Path) -> Store | None:
    """Return the database that a team shares; None if the folder holds the state."""
    if url is None:
        return None
    from mlspec.targets.postgres.store import shared_store

    return shared_store(url, folder)


def open_served(project: Project | None, name: str, forecasts: Sequence[str]) -> Target | None:
    """Return a target on Google Cloud as a server of these forecasts can read it; None for any other target."""
    settings = (project.targets if project else {}).get(name)
    if not isinstance(settings, GcpSettings):
        return None
    from mlspec.targets.gcp.serving_view import ServingView

    place = GcpLocation(name, settings.project, settings.region, settings.kms_key)
    return ServingView(place, cache_folder() / settings.project, forecasts)


def cache_folder() -> Path:
    """Return the folder for cached copies: the user's cache, or a temporary folder if that cannot be written."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlspec"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):
        pass
    return Path(tempfile.mkdtemp(prefix="mlspec-cache-"))


def open_engine(target: AnyTarget, root: Path, tell: ProgressReporter) -> Engine:
    """Return an engine on `target`. This is the only place that connects the engine with the jobs."""
    return Engine(
        target=target,
        steps=_run_step,
        root=root,
        clock=timestamp,
        code=CODE_VERSION,
        libraries=model_libraries(),
        tell=tell,
        mlspec=__version__,
        run_remote_step=None
        if isinstance(target, LocalTarget) or os.environ.get(RUNNER) != "cloud-run"
        else target.run_remote_step,
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


def open_here(name: str) -> AnyTarget:
    """Return the target of this name for commands that need no spec: reads only mlspec.yaml."""
    from mlspec.cli.project import find_root, open_specs

    root = find_root()
    return open_target(open_specs((), name).project, root, name)
