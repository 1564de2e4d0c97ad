"""Makes a plan from specs and the observed state of a target. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlspec.engine.context import PlanContext, Spec
from mlspec.engine.pass_plan import slots_due
from mlspec.errors import DataError
from mlspec.plan.diff import plan_changes
from mlspec.plan.moments import parse_moment
from mlspec.plan.notes import spec_notes
from mlspec.state.observed import Observed
from mlspec.state.plan import Change, Obstacle, Plan


def _no_costs(_specs: Sequence[Spec], _trained: Sequence[str]) -> tuple[str, ...]:
    return ()


def make_plan(
    engine: PlanContext,
    specs: Sequence[Spec],
    commit: str | None,
    costs: Callable[[Sequence[Spec], Sequence[str]], tuple[str, ...]] = _no_costs,
) -> Plan:
    """Return what apply would do for `specs`. A spec whose data is missing is an obstacle, and does not stop the others.

    `costs` returns sentences on the costs, from the specs and the names that are trained.
    """
    target = engine.target
    planned_changes: list[Change] = []
    backfilled: list[str] = []
    obstacles: list[Obstacle] = []
    for spec in specs:
        try:
            observed = target.observe_forecast(spec.name)
            planned_changes += plan_changes(engine.desired_forecast(spec), observed)
            backfilled += (
                _backfill_sentences(spec, observed, engine.clock()) if planned_changes[-1].action != "none" else []
            )
        except DataError as error:
            obstacles.append(Obstacle(spec.name, error.message, error.hint))
    trained = [
        change.forecast
        for change in planned_changes
        if change.resource.startswith("model.") and change.action != "none"
    ]
    training = [f"backtests and trains {len(trained)}: {', '.join(trained)}"] if trained else []
    return Plan(
        target=target.name,
        serial=target.serial,
        lineage=target.lineage,
        changes=tuple(planned_changes),
        spec_hashes={spec.name: spec.spec_hash for spec in specs},
        commit=commit,
        notes=tuple(note for spec in specs for note in spec_notes(spec.name, spec.forecast)),
        impact=(*training, *costs(specs, trained), *backfilled),
        obstacles=tuple(obstacles),
    )


def _backfill_sentences(spec: Spec, observed: Observed, now: str) -> list[str]:
    """Return how many runs of schedule.forecast one forecast makes up for now; empty if it is none or one."""
    due = slots_due(spec.forecast, observed, parse_moment(now)).get("forecast")
    if due is None or not due.missed:
        return []
    return [f"backfills {due.missed + 1} intervals of schedule.forecast with one forecast: {spec.name}"]
