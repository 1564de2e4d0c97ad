"""Plan and apply for a target on Google Cloud: terraform's changes and the DAG's, beside each forecast's steps to come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mlspec.cli import apply_text
from mlspec.cli.messages import report
from mlspec.cli.planning import ignore_progress
from mlspec.cli.project import find_root, is_folder, open_specs
from mlspec.cli.rendering import render_specs
from mlspec.cli.select import select_names
from mlspec.cli.target import AnyTarget as Remote
from mlspec.cli.target import git_commit, open_engine, open_target
from mlspec.engine.context import Engine, ProgressReporter
from mlspec.engine.infrastructure import Infrastructure, InfrastructureResult
from mlspec.engine.infrastructure import infrastructure_exit_code as made_code
from mlspec.engine.outcome import ForecastOutcome
from mlspec.engine.outcome import apply_exit_code as steps_code
from mlspec.engine.plan import make_plan
from mlspec.engine.readonly_planner import ReadonlyPlanner
from mlspec.errors import Exit
from mlspec.plan.gcp import cost, terraform_plan
from mlspec.render.rendering import SHARED
from mlspec.spec import LoadedSpecs, ResolvedSpec
from mlspec.spec.project import GcpTargetSettings
from mlspec.state.plan import Plan
from mlspec.targets.gcp.terraform import runner
from mlspec.targets.local.target import LocalTarget


def settings_of(target: str) -> GcpTargetSettings | None:
    """Return a target's settings if it is on Google Cloud, looking at mlspec.yaml alone."""
    project = open_specs((), target).project
    settings = project.targets.get(target) if project else None
    return settings if isinstance(settings, GcpTargetSettings) else None


@dataclass(frozen=True)
class CloudPlan:
    """A plan, the specs that it is about, the engine on the target, and the folder in which terraform keeps its part of it."""

    plan: Plan
    names: tuple[str, ...]
    specs: tuple[ResolvedSpec, ...]
    target: Remote
    engine: Engine
    _infrastructure: Infrastructure

    def apply_infrastructure(self) -> tuple[InfrastructureResult, ...]:
        """Carry out the plan's infrastructure and DAGs."""
        return self._infrastructure.apply_changes(self.names, self.plan.changes, first=SHARED)

    @property
    def destroyed_addresses(self) -> tuple[str, ...]:
        """Addresses of cloud resources that would be destroyed, or destroyed and made anew."""
        return tuple(
            f"{change.forecast}: {address}"
            for change in terraform_plan.select_terraform_changes(self.plan.changes)
            for address, action in (change.after or {}).items()
            if action in ("delete", "replace")
        )


@contextmanager
def open_cloud_plan(
    paths: Sequence[Path],
    target: str,
    select: Sequence[str],
    tell: ProgressReporter = ignore_progress,
    lock_timeout: float = 0.0,
) -> Iterator[CloudPlan]:
    """Make the plan for the specs under `paths` that `select` takes, and keep what is needed to carry it out while it is open."""
    root, loaded = find_root(), open_specs(paths, target)
    opened_target = open_target(loaded.project, root, target)
    planner = ReadonlyPlanner(open_engine(opened_target, root, tell))
    commit = git_commit(root)
    names = select_names(lambda: make_plan(planner, loaded.specs, commit), select, [spec.name for spec in loaded.specs])
    whole_folder = any(is_folder(path, root) for path in paths) and not select
    order = (SHARED, *names) if whole_folder else tuple(names)
    chosen = replace(loaded, specs=tuple(spec for spec in loaded.specs if spec.name in names))
    files = render_specs(chosen.specs, loaded.project, target, root, with_shared=whole_folder)
    with Infrastructure(
        files, runner.TerraformCli(runner.allowed_environment_here(), report, lock_timeout), report
    ) as infrastructure:
        plan = _make_cloud_plan(planner, chosen, commit, infrastructure, order)
        yield CloudPlan(plan, order, chosen.specs, opened_target, planner.engine, infrastructure)


def _make_cloud_plan(
    planner: ReadonlyPlanner,
    loaded: LoadedSpecs,
    commit: str | None,
    infrastructure: Infrastructure,
    order: Sequence[str],
) -> Plan:
    cloud_changes = infrastructure.plan_changes(order)
    plan = make_plan(planner, loaded.specs, commit)
    changes = sorted((*cloud_changes, *plan.changes), key=lambda change: order.index(change.forecast))
    cost_sentences = (sentence for spec in loaded.specs for sentence in cost.cost_sentences(spec.name, spec.json))
    trainings = (sentence for sentence in plan.impact if "trains" in sentence)
    unseen = sorted(planner.unseen)
    notes = (
        *plan.notes,
        *(f"{name}: this account may not look at its data: nothing is said of new data" for name in unseen),
    )
    return replace(
        plan,
        changes=tuple(changes),
        notes=notes,
        impact=(*terraform_plan.loss_sentences(cloud_changes), *cost_sentences, *trainings),
    )


def as_text(results: Sequence[InfrastructureResult]) -> str:
    """Return what came of an apply, a line a folder of rendered files."""
    words = {
        "nothing": "is up to date", "applied": "infrastructure and DAG are as the spec says",
        "failed": "failed; what terraform made before is in its state", "held": "waits: what all forecasts share failed",
    }  # fmt: skip
    return "\n".join(f"{result.name}: {words[result.status]}" for result in results)


def as_json(results: Sequence[InfrastructureResult], outcomes: Sequence[ForecastOutcome]) -> str:
    """Return what came of an apply as JSON."""
    rows = [
        {"name": result.name, "status": result.status, "error": result.error and result.error.message}
        for result in results
    ]
    return json.dumps({"infrastructure": rows, **json.loads(apply_text.as_json(outcomes))}, indent=2)


def hand_over(cloud_plan: CloudPlan, specs: Sequence[ResolvedSpec]) -> None:
    """Let the loop's job make the forecasts."""
    if specs and not isinstance(cloud_plan.target, LocalTarget):
        cloud_plan.target.hand_over([spec.name for spec in specs])
        report("the job mlspec-reconcile makes the forecasts: `mlspec status` says when they are ready")


def specs_with_infrastructure(
    specs: Sequence[ResolvedSpec], results: Sequence[InfrastructureResult]
) -> tuple[ResolvedSpec, ...]:
    """Return the specs whose infrastructure is up to date: the others have nothing to stand on."""
    wrong = {result.name for result in results if result.error or result.status == "held"}
    return tuple(spec for spec in specs if spec.name not in wrong)


def provision_exit_code(results: Sequence[InfrastructureResult], outcomes: Sequence[ForecastOutcome]) -> Exit:
    """Return the exit code of a whole run: the infrastructure's where it failed, part-way where anything came of the rest."""
    infrastructure_code, apply_code = made_code(results), steps_code(tuple(outcomes))
    if infrastructure_code == Exit.DONE:
        return apply_code
    return Exit.PARTIAL if any(outcome.recorded for outcome in outcomes) else infrastructure_code
