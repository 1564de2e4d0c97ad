"""Makes a plan from specs and the observed state of a target. Writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from mlspec.engine.clock import observe_corrected
from mlspec.engine.context import PlanContext, Spec
from mlspec.engine.defects import as_error
from mlspec.engine.pass_plan import slots_due
from mlspec.errors import MissingExtra, TargetError
from mlspec.plan.desired import DesiredForecast
from mlspec.plan.diff import plan_changes
from mlspec.plan.moments import parse_moment
from mlspec.plan.notes import schedule_note, spec_notes
from mlspec.plan.run_estimate import estimate_sentences, read_size, unknown_size_sentence
from mlspec.state.observed import Observed
from mlspec.state.plan import Change, Obstacle, Plan

logger = logging.getLogger(__name__)


Costs = Callable[[Sequence[Spec], Sequence[str], Mapping[str, int]], tuple[str, ...]]


def _no_costs(_specs: Sequence[Spec], _trained: Sequence[str], _series: Mapping[str, int]) -> tuple[str, ...]:
    return ()


def make_plan(
    engine: PlanContext,
    specs: Sequence[Spec],
    commit: str | None,
    costs: Costs = _no_costs,
    processors: int | None = None,
) -> Plan:
    """Return what apply would do for `specs`. A spec that cannot be planned is an obstacle, and does not stop the others.

    `costs` returns sentences on the costs, from the specs, the names that are trained, and how many series each forecast has.
    `processors`: how many work on the steps; None if these run elsewhere.
    """
    target = engine.target
    planned_changes: list[Change] = []
    backfilled: list[str] = []
    obstacles: list[Obstacle] = []
    series: dict[str, int] = {}
    estimates: list[str] = []
    for spec in specs:
        try:
            observed, _correction = observe_corrected(target, spec.name, engine.clock())
            wanted = engine.desired_forecast(spec)
            changes = plan_changes(wanted, observed)
            backfilled += _backfill_sentences(spec, observed, engine.clock()) if changes[-1].action != "none" else []
            planned_changes += changes
            if any(change.resource.startswith("model.") and change.action != "none" for change in changes):
                estimates += _estimate_run(wanted, observed, processors)
            if isinstance(count := observed.find_fact("data", "series"), int):
                series[spec.name] = count
        except (
            TargetError,
            MissingExtra,
        ):  # the target does not answer, or this machine lacks a part: true for all forecasts
            raise
        except Exception as error:  # a record or data that cannot be read, or a defect: of this forecast alone
            failure = as_error(error)
            logger.debug("%s cannot be planned", spec.name, exc_info=error)
            obstacles.append(Obstacle(spec.name, failure.message, failure.hint))
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
        notes=tuple(note for spec in specs for note in _notes(spec)),
        impact=(*training, *estimates, *costs(specs, trained, series), *backfilled),
        obstacles=tuple(obstacles),
    )


def _estimate_run(wanted: DesiredForecast, observed: Observed, processors: int | None) -> list[str]:
    """Return how long backtest and training take, by the size of the data that was checked last."""
    checked = read_size(observed.find_fact("data", "size"))
    if checked is not None:
        sentences = estimate_sentences(wanted.spec, checked, processors)
    else:
        sentences = () if "data" in observed.resources else unknown_size_sentence(wanted.source.size)
    return [f"{wanted.name}: {sentence}" for sentence in sentences]


def _notes(spec: Spec) -> tuple[str, ...]:
    return (*spec_notes(spec.name, spec.forecast), schedule_note(spec.name, spec.forecast))


def _backfill_sentences(spec: Spec, observed: Observed, now: str) -> list[str]:
    """Return how many runs of schedule.forecast one forecast makes up for now; empty if it is none or one."""
    due = slots_due(spec.forecast, observed, parse_moment(now)).get("forecast")
    if due is None or not due.missed:
        return []
    return [f"backfills {due.missed + 1} intervals of schedule.forecast with one forecast: {spec.name}"]
