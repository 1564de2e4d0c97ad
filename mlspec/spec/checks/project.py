"""The targets of mlspec.yaml: each keeps its state in a folder of its own, inside the project."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath

from mlspec.spec.checks.addresses import folder_problem
from mlspec.spec.checks.database import database_problem
from mlspec.spec.faults import Path, Problem
from mlspec.spec.project import LocalTargetSettings, Project

_DEFAULT = LocalTargetSettings(type="local").path


def check_targets(project: Project) -> Iterator[Problem]:
    """A local target has a folder of its own in the project, and `local` is one of them; a database is of one target, and its URL
    holds no password."""
    owners: dict[str, str] = {} if "local" in project.targets else {normpath(_DEFAULT): "local"}
    keepers: dict[str | None, str] = {}
    for name, target in project.targets.items():
        path: Path = ("targets", name)
        if not isinstance(target, LocalTargetSettings):
            if name == "local":
                message = "'local' is the target on this machine: commands use it when no other is named"
                yield Problem((*path, "type"), "target", message, "give this target another name")
            continue
        problem = folder_problem(target.path)
        owner = owners.setdefault(normpath(target.path), name)
        if problem:
            yield Problem((*path, "path"), "target", *problem)
        elif owner != name:
            message = f"the folder {target.path} is of target '{owner}': one would take down what the other made"
            yield Problem((*path, "path"), "target", message, f"such as path: .mlspec-{name}")
        if target.state is None:
            continue
        keeper = keepers.setdefault(target.state, name)
        if wrong := database_problem(target.state):
            yield Problem((*path, "state"), "target", *wrong)
        elif keeper != name:
            message = f"this database is of target '{keeper}': one would take down what the other made"
            yield Problem((*path, "state"), "target", message, "name another database: one holds one state")
