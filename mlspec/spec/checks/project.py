"""Checks of mlspec.yaml: targets keep apart what they made and hold no secret, networks are networks, nothing in use is removed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from posixpath import normpath

from mlspec.spec.checks.addresses import folder_problem
from mlspec.spec.checks.database import database_problem
from mlspec.spec.duration import format_duration
from mlspec.spec.faults import Path, Problem
from mlspec.spec.package_settings import UncheckedSettings, package_folder, secret_problems
from mlspec.spec.project import LocalTargetSettings, Project

_DEFAULT = LocalTargetSettings(type="local").path
# As long as the results of steps are kept (`plan.retention`), so that a task that runs again finds what it made.
_SHORTEST = timedelta(days=7)


def check_targets(project: Project) -> Iterator[Problem]:
    """Each local target has its own folder in the project and its own database, whose URL holds no password; `local` is a local
    target."""
    owners: dict[str, str] = {} if "local" in project.targets else {normpath(_DEFAULT): "local"}
    of_packages = [name for name, target in project.targets.items() if isinstance(target, UncheckedSettings)]
    owners |= {package_folder(name): name for name in of_packages}
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


def check_package_targets(project: Project) -> Iterator[Problem]:
    """The settings of a package's target hold no secret, and no two such targets have the same settings."""
    owners: dict[str, str] = {}
    for name, target in project.targets.items():
        if not isinstance(target, UncheckedSettings):
            continue
        path: Path = ("targets", name)
        yield from secret_problems(target.values, path)
        settings = repr(sorted((str(key), value) for key, value in target.values.items() if key != "protect"))
        owner = owners.setdefault(settings, name)
        if owner != name:
            message = f"these are the settings of target '{owner}': each would destroy what the other made"
            yield Problem(path, "target", message, "name another place")


def check_networks(project: Project) -> Iterator[Problem]:
    """A network under `webhooks.private_networks` is a network: an address whose bits behind the prefix are 0."""
    for index, network in enumerate(project.webhooks.private_networks):
        path: Path = ("webhooks", "private_networks", index)
        try:
            ip_network(network)
        except ValueError:
            yield Problem(path, "network", f"'{network}' is not a network", _nearest_network(network))


def _nearest_network(text: str) -> str:
    try:
        return f"write {ip_network(text, strict=False)}"
    except ValueError:
        return "such as 10.20.0.0/16"


def check_retention(project: Project) -> Iterator[Problem]:
    """`retention.runs` and `retention.events` are at least a week: a task that runs again still finds what it made."""
    if project.retention is None:
        return
    spans = {"runs": project.retention.runs, "events": project.retention.events}
    for key, span in spans.items():
        if span < _SHORTEST:
            message = f"expected at least {format_duration(_SHORTEST)}, found {format_duration(span)}"
            yield Problem(("retention", key), "retention", message, "such as 400d or 2y")
