"""The phases plan and apply: infrastructure and DAGs if the target has some, and each forecast's next steps.

A phase asks for no approval itself: its caller passes a function that does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from types import MappingProxyType

from mlspec.engine.apply import apply_specs
from mlspec.engine.context import Engine, PlanContext
from mlspec.engine.hand_over import find_containers, hold_hand_over
from mlspec.engine.infrastructure import Infrastructure, InfrastructureResult, infrastructure_exit_code
from mlspec.engine.outcome import ForecastOutcome, worst_exit_code
from mlspec.engine.plan import make_plan
from mlspec.engine.readonly_planner import ReadonlyPlanner
from mlspec.engine.target_kinds import ConfiguredTarget
from mlspec.errors import Exit
from mlspec.plan.approval import Approval, approval_reasons, destroyed_resources
from mlspec.plan.select import select_names
from mlspec.processors import usable_processors
from mlspec.spec import ResolvedSpec
from mlspec.state.plan import Plan
from mlspec.state.resource import SHARED, digest
from mlspec.targets.base import OpenedTarget


@dataclass(frozen=True)
class PlanRequest:
    """The request for a plan: specs, the selectors that choose among them, and a target.

    `whole_folder` says that all the specs of a folder are included: then shared resources are planned too. `commit` is the
    project's. `tell` is called with each action of terraform; `lock_timeout` is how long it waits for another run on the same
    state, in seconds. With `hand_over` the loop is to make the forecasts: then others who hand over wait until the plan is closed.
    """

    target: ConfiguredTarget
    specs: tuple[ResolvedSpec, ...]
    select: Sequence[str]
    commit: str | None
    whole_folder: bool
    tell: Callable[[str], None]
    lock_timeout: float = 0.0
    hand_over: bool = False


@dataclass(frozen=True)
class OpenedPlan:
    """A plan, its specs, the engine that can apply it, and the infrastructure if the target has some.

    `folders` names the folders of rendered files, in order.
    """

    plan: Plan
    specs: tuple[ResolvedSpec, ...]
    engine: Engine
    infrastructure: Infrastructure | None = None
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class ApplyResult:
    """The result of an applied plan. `infrastructure` is None on a target that has none.

    `handed_over` names the forecasts that the loop's job makes.
    """

    infrastructure: tuple[InfrastructureResult, ...] | None
    outcomes: tuple[ForecastOutcome, ...]
    handed_over: tuple[str, ...] = ()

    @property
    def exit_code(self) -> Exit:
        """The exit code of the run: PARTIAL if infrastructure failed and anything else was done."""
        code = infrastructure_exit_code(self.infrastructure or ())
        if code == Exit.DONE:
            return worst_exit_code(outcome.exit_code for outcome in self.outcomes)
        return Exit.PARTIAL if any(outcome.recorded for outcome in self.outcomes) else code


@contextmanager
def open_plan(engine: Engine, request: PlanRequest) -> Iterator[OpenedPlan]:
    """Make the plan, and keep its files open as a context manager, so that it can be applied.

    Raises TargetError if the target cannot be reached or terraform cannot plan, UsageError for a selector that matches no
    forecast, Refused if specs are to be handed over and newer ones were.
    """
    with (
        hold_hand_over(engine, request.specs, request.lock_timeout) if request.hand_over else nullcontext(),
        _make_plan(engine, request) as opened,
    ):
        yield opened


@contextmanager
def _make_plan(engine: Engine, request: PlanRequest) -> Iterator[OpenedPlan]:
    kind = request.target.kind
    if kind.infrastructure is None:
        specs = _select_specs(engine, request)
        plan = make_plan(engine, specs, request.commit, kind.costs, usable_processors())
        yield OpenedPlan(replace(plan, inputs=plan_inputs(request.target)), specs, engine)
        return
    from mlspec.engine.rendering import render_specs

    planner = ReadonlyPlanner(engine)
    specs = _select_specs(planner, request)
    with_shared = request.whole_folder and not request.select
    folders = (*((SHARED,) if with_shared else ()), *(spec.name for spec in specs))
    files = render_specs(specs, request.target, engine.root, with_shared=with_shared)
    runner = kind.infrastructure.runner(request.target.settings, request.tell, request.lock_timeout)
    with Infrastructure(files, runner, request.tell) as infrastructure:
        cloud_changes = infrastructure.plan_changes(folders)
        plan = make_plan(planner, specs, request.commit, kind.costs)
        changes = sorted((*cloud_changes, *plan.changes), key=lambda change: folders.index(change.forecast))
        impact = (*infrastructure.loss_sentences(cloud_changes), *plan.impact)
        notes = (*plan.notes, *planner.notes)
        inputs = plan_inputs(request.target, files)
        plan = replace(plan, changes=tuple(changes), notes=notes, impact=impact, inputs=inputs)
        yield OpenedPlan(plan, specs, engine, infrastructure, folders)


def plan_inputs(target: ConfiguredTarget, files: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Return the digests of what a plan reads beside specs, data and state: the target's settings, and the rendered files.

    The rendered files stand for what made them: the project's templates and those of mlspec. Those of one folder have one digest.
    """
    folders: dict[str, list[tuple[str, str]]] = {}
    for path, text in sorted(files.items()):
        folders.setdefault(str(PurePosixPath(path).parent), []).append((path, text))
    return {
        f"target {target.name} in mlspec.yaml": digest(target.settings.model_dump(mode="json")),
        **{f"what is rendered in {folder}/": digest(texts) for folder, texts in folders.items()},
    }


def _select_specs(planner: PlanContext, request: PlanRequest) -> tuple[ResolvedSpec, ...]:
    specs = request.specs
    names = select_names(
        lambda: make_plan(planner, specs, request.commit), request.select, [spec.name for spec in specs]
    )
    return tuple(spec for spec in specs if spec.name in names)


def apply_plan(
    opened: OpenedPlan, approve: Approval, *, lock_timeout: float = 0.0, hand_over: bool = False
) -> ApplyResult:
    """Apply a plan: infrastructure and DAGs, then the forecasts that have it; with `hand_over` the loop's job makes these.

    `approve` is called if something would be destroyed or the target is protected. If it raises, nothing was changed.
    """
    plan, target = opened.plan, opened.engine.target
    containers = find_containers(opened.engine) if hand_over else None
    destroyed = (opened.infrastructure.destroyed_addresses if opened.infrastructure else destroyed_resources)(
        plan.changes
    )
    reasons = approval_reasons(plan.target, destroyed, protect=target.protect)
    if reasons and not plan.is_empty:
        approve(reasons)
    results: tuple[InfrastructureResult, ...] | None = None
    if opened.infrastructure is not None:
        results = opened.infrastructure.apply_changes(
            opened.folders, plan.changes, SHARED, partial(_undeploy_endpoint, target)
        )
    # The infrastructure of the others is missing.
    wrong = {result.name for result in results or () if result.error or result.status == "held"}
    specs = tuple(spec for spec in opened.specs if spec.name not in wrong)
    if containers is None:
        return ApplyResult(results, apply_specs(opened.engine, specs, lock_timeout))
    names = tuple(spec.name for spec in specs)
    if names:
        containers.hand_over.start_loop(names)
    return ApplyResult(results, (), names)


def _undeploy_endpoint(target: OpenedTarget, forecast: str) -> None:
    if target.containers is not None:
        target.containers.undeploy_endpoint(forecast)
