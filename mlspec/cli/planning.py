"""What plan and apply do first: read the specs, open the target, make the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from mlspec import __version__
from mlspec.cli.project import find_root, is_folder, open_specs
from mlspec.cli.select import selected
from mlspec.cli.target import git_commit, open_engine, open_target
from mlspec.engine.context import Engine, Tell
from mlspec.engine.plan import make_plan
from mlspec.spec import Loaded, Resolved
from mlspec.spec.project import GcpTarget
from mlspec.state.plan import Plan

ON_GOOGLE_CLOUD = (
    "this version plans for Google Cloud and applies to local targets: mlspec render and terraform apply make the infrastructure "
    "and the DAG; the record of what serves there comes later, so the steps of a forecast read as not done yet"
)


@dataclass(frozen=True)
class Planned:
    """A plan, the specs that it is about, and the engine that can carry it out."""

    plan: Plan
    specs: tuple[Resolved, ...]
    engine: Engine


def _quiet(forecast: str, step: str, done: int, total: int, text: str) -> None:
    """Show nothing: a plan runs no step."""


def planned(paths: Sequence[Path], target: str, select: Sequence[str], tell: Tell = _quiet) -> Planned:
    """Return the plan for the specs under `paths` that `select` takes. Raises TargetError where apply cannot reach the target."""
    root = find_root()
    loaded = open_specs(paths, target)
    engine = open_engine(open_target(loaded.project, root, target), root, tell)
    plan = make_plan(engine, loaded.specs, git_commit(root))
    names = selected(plan, select, [spec.name for spec in loaded.specs])
    if len(names) < len(loaded.specs):
        specs = tuple(spec for spec in loaded.specs if spec.name in names)
        return Planned(make_plan(engine, specs, plan.commit), specs, engine)
    return Planned(plan, loaded.specs, engine)


def looked_at(paths: Sequence[Path], target: str, select: Sequence[str]) -> Plan:
    """Return the plan for any target: on Google Cloud what terraform would do stands before each forecast's own steps."""
    loaded = open_specs(paths, target)
    settings = loaded.project.targets.get(target) if loaded.project else None
    if not isinstance(settings, GcpTarget):
        return planned(paths, target, select).plan
    return _on_google_cloud(loaded, settings, target, select, whole=any(is_folder(path, find_root()) for path in paths))


def _on_google_cloud(loaded: Loaded, settings: GcpTarget, target: str, select: Sequence[str], *, whole: bool) -> Plan:
    from mlspec.cli.rendering import texts
    from mlspec.engine.infrastructure import Look, infrastructure
    from mlspec.plan import cost, infra
    from mlspec.render.rendering import SHARED
    from mlspec.targets.gcp import sight, terraform

    root = find_root()
    look = Look(sight.Unrecorded(target, settings.protect), root, __version__)
    commit = git_commit(root)
    names = selected(make_plan(look, loaded.specs, commit), select, [spec.name for spec in loaded.specs])
    specs = tuple(spec for spec in loaded.specs if spec.name in names)
    shared = [SHARED] if whole and not select else []
    files = texts(specs, loaded.project, target, root, with_shared=bool(shared))
    environment = terraform.allowed_here()
    found = infrastructure(
        files,
        [*shared, *names],
        lambda folder: terraform.plan(folder, environment),
        lambda text: click.echo(text, err=True),
    )
    plan = make_plan(look, specs, commit)
    order = {name: place for place, name in enumerate([SHARED, *names])}
    changes = sorted((*found, *plan.changes), key=lambda change: order[change.forecast])
    said = (sentence for spec in specs for sentence in cost.sentences(spec.name, spec.json))
    return replace(
        plan, changes=tuple(changes), notes=(ON_GOOGLE_CLOUD,), impact=(*infra.losses(found), *said, *_trainings(plan))
    )


def _trainings(plan: Plan) -> tuple[str, ...]:
    return tuple(sentence for sentence in plan.impact if "trains" in sentence)
