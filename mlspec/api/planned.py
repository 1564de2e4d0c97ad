"""What an apply would change, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlspec.state.plan import Action, FieldChange, Obstacle, Plan


@dataclass(frozen=True)
class PlannedChange:
    """One change of a forecast: `resource` is `data.NAME`, `model.NAME`, `deployment.NAME` or `forecast.NAME`, or terraform's.

    `action` is create, update, replace, delete or run. `fields` are those that differ, each with `field`, `before` and `after`.
    """

    forecast: str
    resource: str
    action: Action
    reason: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class ProjectPlan:
    """What an apply would do. Empty `changes`: everything is up to date.

    `impact` are sentences on the consequences (trainings, cost), `notes` on what apply alone does not do. `obstacles` are forecasts
    that cannot be planned, each with `forecast`, `message` and `hint`.
    """

    target: str
    changes: tuple[PlannedChange, ...]
    impact: tuple[str, ...]
    notes: tuple[str, ...]
    obstacles: tuple[Obstacle, ...]
    _plan: Plan = field(repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do. What cannot be planned may still need something."""
        return not self.changes


def make_project_plan(plan: Plan) -> ProjectPlan:
    """Return the engine's plan as the API shows it: without what is up to date."""
    changes = tuple(
        PlannedChange(change.forecast, change.resource, change.action, change.reason, change.fields)
        for change in plan.changes
        if change.action != "none"
    )
    return ProjectPlan(plan.target, changes, plan.impact, plan.notes, plan.obstacles, plan)


def engine_plan(plan: ProjectPlan) -> Plan:
    """Return the engine's plan that a plan of the API was made from."""
    return plan._plan  # noqa: SLF001  (of this module)
