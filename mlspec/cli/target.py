"""From a target's name to the target itself, and to the engine around it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from mlspec import __version__
from mlspec.cli.clock import now
from mlspec.engine.context import Engine, Tell, model_libraries
from mlspec.errors import TargetError, UsageError
from mlspec.spec.faults import did_you_mean
from mlspec.spec.project import LocalTarget as LocalSettings
from mlspec.spec.project import Project
from mlspec.state.step import Progress, StepRequest, StepResult
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.record.store import Store

# Not `describe --dirty`, which writes git's index: to look changes nothing.
_GIT_STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")


def open_target(project: Project | None, root: Path, name: str) -> LocalTarget:
    """Return the target of this name. Raises UsageError where there is none, TargetError where this version cannot reach it."""
    settings = (project.targets if project else {}).get(name)
    if settings is None and name != "local":
        known = ["local", *(project.targets if project else ())]
        raise UsageError(f"there is no target '{name}'", hint=did_you_mean(name, known))
    if settings is not None and not isinstance(settings, LocalSettings):
        raise TargetError(
            f"target '{name}': this version of mlspec keeps no record on Google Cloud of what serves there",
            hint="validate, render, plan and apply work for it; all else with --target local",
        )
    settings = settings or LocalSettings(type="local")
    folder = root / settings.path
    return LocalTarget(folder, name=name, protect=settings.protect, store=_store(settings.state, folder))


def _store(url: str | None, folder: Path) -> Store | None:
    """Return the store that a team shares, None where the folder itself is the store."""
    if url is None:
        return None
    from mlspec.targets.postgres.store import shared

    return shared(url, folder)


def open_engine(target: LocalTarget, root: Path, tell: Tell) -> Engine:
    """Return an engine on `target`: the one place where engine and jobs are introduced."""
    return Engine(
        target=target,
        steps=_steps,
        root=root,
        clock=timestamp,
        code=__version__,
        libraries=model_libraries(),
        tell=tell,
    )


def _steps(request: StepRequest, progress: Progress) -> StepResult:
    from mlspec import jobs

    return jobs.run(request, progress)


def timestamp() -> str:
    """Return the present moment as RFC 3339 in UTC, to the second."""
    return now().strftime("%Y-%m-%dT%H:%M:%SZ")


def git_commit(root: Path) -> str | None:
    """Return the commit that the project stands at, with `-dirty` behind it where specs differ from it; None without git."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    argv = ["git", "--no-optional-locks", "-C", str(root), *_GIT_STATUS]
    try:
        found = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    commit = re.search(r"^# branch\.oid ([0-9a-f]{40,64})$", found.stdout, re.MULTILINE)
    dirty = any(not line.startswith("#") for line in found.stdout.splitlines())
    return f"{commit[1]}{'-dirty' if dirty else ''}" if commit else None


def open_here(name: str) -> LocalTarget:
    """Return the target of this name for commands that read what was applied and no spec: only mlspec.yaml is looked at."""
    from mlspec.cli.project import find_root, open_specs

    root = find_root()
    return open_target(open_specs((), name).project, root, name)
