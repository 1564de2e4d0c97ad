"""Plan and apply for a target on Google Cloud: terraform's changes and the DAG's, beside each forecast's steps to come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from mlspec import __version__
from mlspec.cli.project import find_root, is_folder, open_specs
from mlspec.cli.rendering import texts
from mlspec.cli.select import selected
from mlspec.cli.target import git_commit, timestamp
from mlspec.engine.infrastructure import Infrastructure, Look, Made
from mlspec.engine.plan import make_plan
from mlspec.plan import cost, infra
from mlspec.render.rendering import SHARED
from mlspec.spec import Loaded
from mlspec.spec.project import GcpTarget
from mlspec.state.plan import Plan
from mlspec.targets.gcp import sight, terraform

STEPS_COME_LATER = (
    "apply makes the infrastructure and the DAG; what serves there is not on record in this version, so the steps of a forecast "
    "always read as not done yet, and are left to the DAG"
)


def settings_of(target: str) -> GcpTarget | None:
    """Return a target's settings if it is on Google Cloud, looking at mlspec.yaml alone."""
    project = open_specs((), target).project
    found = project.targets.get(target) if project else None
    return found if isinstance(found, GcpTarget) else None


@dataclass(frozen=True)
class Opened:
    """A plan, and the folder in which terraform keeps its part of it."""

    plan: Plan
    names: tuple[str, ...]
    _infrastructure: Infrastructure

    def apply(self) -> tuple[Made, ...]:
        """Carry out the plan's infrastructure and DAGs."""
        return self._infrastructure.apply(self.names, self.plan.changes, first=SHARED)

    @property
    def lost(self) -> tuple[str, ...]:
        """Addresses of cloud resources that would be destroyed, or destroyed and made anew."""
        return tuple(
            f"{change.forecast}: {address}"
            for change in infra.of_terraform(self.plan.changes)
            for address, action in (change.after or {}).items()
            if action in ("delete", "replace")
        )


@contextmanager
def opened(paths: Sequence[Path], target: str, settings: GcpTarget, select: Sequence[str]) -> Iterator[Opened]:
    """Make the plan for the specs under `paths` that `select` takes, and keep what is needed to carry it out while it is open."""
    root, loaded = find_root(), open_specs(paths, target)
    look = Look(sight.Unrecorded(target, settings.protect), root, timestamp, __version__)
    commit = git_commit(root)
    names = selected(make_plan(look, loaded.specs, commit), select, [spec.name for spec in loaded.specs])
    whole = any(is_folder(path, root) for path in paths) and not select
    order = (SHARED, *names) if whole else tuple(names)
    chosen = replace(loaded, specs=tuple(spec for spec in loaded.specs if spec.name in names))
    files = texts(chosen.specs, loaded.project, target, root, with_shared=whole)
    with Infrastructure(files, terraform.Terraform(terraform.allowed_here()), _tell) as infrastructure:
        plan = _plan(look, chosen, commit, infrastructure, order)
        yield Opened(plan, order, infrastructure)


def _plan(look: Look, loaded: Loaded, commit: str | None, infrastructure: Infrastructure, order: Sequence[str]) -> Plan:
    found = infrastructure.changes(order)
    plan = make_plan(look, loaded.specs, commit)
    changes = sorted((*found, *plan.changes), key=lambda change: order.index(change.forecast))
    said = (sentence for spec in loaded.specs for sentence in cost.sentences(spec.name, spec.json))
    trainings = (sentence for sentence in plan.impact if "trains" in sentence)
    return replace(
        plan, changes=tuple(changes), notes=(STEPS_COME_LATER,), impact=(*infra.losses(found), *said, *trainings)
    )


def _tell(text: str) -> None:
    click.echo(text, err=True)


def as_text(made: Sequence[Made]) -> str:
    """Return what came of an apply, a line a folder of rendered files."""
    words = {
        "nothing": "is as it shall be", "applied": "infrastructure and DAG are as the spec says",
        "failed": "failed; what terraform made before is in its state", "held": "waits: what all forecasts share failed",
    }  # fmt: skip
    return "\n".join(f"{each.name}: {words[each.status]}" for each in made)


def as_json(made: Sequence[Made]) -> str:
    """Return what came of an apply as JSON."""
    rows = [{"name": each.name, "status": each.status, "error": each.error and each.error.message} for each in made]
    return json.dumps({"infrastructure": rows}, indent=2)
