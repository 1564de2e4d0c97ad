"""Checks of the targets in mlspec.yaml: each has its own folder or database."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath

from mlspec.spec.checks.addresses import folder_problem
from mlspec.spec.checks.database import database_problem
from mlspec.spec.faults import Path, Problem
from mlspec.spec.project import LocalTargetSettings, Project

_DEFAULT = LocalTargetSettings(type="local").path


def check_targets(project: Project) -> Iterator[Problem]:
    """Each local target has its own folder in the project and its own database, whose URL holds no password; `local` is a local
    target."""
    owners: dict[str, str] = {} if "local" in project.targets else {normpath(_DEFAULT): "local"}
    keepers: dict[str | None, str] = {}
    for name, target in project.targets.items():
        path: Path = ("targets", name)
        if not isinstance(target, LocalTargetSettings):
            if name == "local":
                message = "'local' is the target on this machine, which commands use if no other is named"
                yield Problem((*path, "type"), "target", message, "give this target another name")
            continue
        problem = folder_problem(target.path)
        owner = owners.setdefault(normpath(target.path), name)
        if problem:
            yield Problem((*path, "path"), "target", *problem)
        elif owner != name:
            message = f"the folder {target.path} belongs to target '{owner}': each would destroy what the other made"
            yield Problem((*path, "path"), "target", message, f"such as path: .mlspec-{name}")
        if target.state is None:
            continue
        keeper = keepers.setdefault(target.state, name)
        if wrong := database_problem(target.state):
            yield Problem((*path, "state"), "target", *wrong)
        elif keeper != name:
            message = f"this database belongs to target '{keeper}': each would destroy what the other made"
            yield Problem((*path, "state"), "target", message, "name another database: one holds one state")
