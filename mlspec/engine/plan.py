"""From specs and what a target shows to a plan. Looks, and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from mlspec.engine.context import Planning, Spec
from mlspec.errors import DataError
from mlspec.plan.diff import changes
from mlspec.plan.notes import notes
from mlspec.state.plan import Change, Obstacle, Plan


def make_plan(engine: Planning, specs: Sequence[Spec], commit: str | None) -> Plan:
    """Return what apply would do for `specs`; a spec whose data is not there is an obstacle, and holds up no other."""
    target = engine.target
    found: list[Change] = []
    obstacles: list[Obstacle] = []
    for spec in specs:
        try:
            found += changes(engine.wanted(spec), target.observe(spec.name))
        except DataError as error:
            obstacles.append(Obstacle(spec.name, error.message, error.hint))
    return Plan(
        target=target.name,
        serial=target.serial,
        lineage=target.lineage,
        changes=tuple(found),
        spec_hashes={spec.name: spec.spec_hash for spec in specs},
        commit=commit,
        notes=tuple(note for spec in specs for note in notes(spec.name, spec.json)),
        impact=_impact(found),
        obstacles=tuple(obstacles),
    )


def _impact(found: Sequence[Change]) -> tuple[str, ...]:
    trained = [change.forecast for change in found if change.resource.startswith("model.") and change.action != "none"]
    if not trained:
        return ()
    return (
        f"backtests and trains {len(trained)}: {', '.join(trained)}",
        "costs nothing: the local target runs on this machine",
    )
