"""A plan as a page: a file that a pull request can link to."""

from __future__ import annotations

from mlspec.cli.target import timestamp
from mlspec.plan.grouping import group_changes, group_sentences
from mlspec.plan.natural_order import natural_key
from mlspec.render.plan_page import PlanGroup, PlanPageFacts, render_plan
from mlspec.render.reader import LANGUAGES, Reader
from mlspec.state.plan import Plan, changed_forecasts, kept_out_changes
from mlspec.state.resource import SHARED


def as_page(plan: Plan, language: str = "en") -> str:
    """Return the plan as HTML that needs nothing but a browser: every change of every forecast, those that change alike once."""
    return render_plan(_page_facts(plan), Reader(LANGUAGES[language]))


def _page_facts(plan: Plan) -> PlanPageFacts:
    names = {change.forecast for change in plan.changes} | {obstacle.forecast for obstacle in plan.obstacles}
    return PlanPageFacts(
        target=plan.target,
        commit=plan.commit,
        made=timestamp(),
        forecasts=len(names - {SHARED}),
        changing=len(changed_forecasts(plan)),
        counts=tuple(plan.summary.items()),
        groups=[
            PlanGroup(sorted(group.forecasts, key=natural_key), group.changes) for group in group_changes(plan.changes)
        ],
        obstacles=plan.obstacles,
        kept=kept_out_changes(plan),
        impact=group_sentences(plan.impact, sorted(names)),
        notes=group_sentences(plan.notes, sorted(names)),
        has_record=bool(plan.lineage),
    )
