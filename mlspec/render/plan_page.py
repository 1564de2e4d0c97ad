"""Renders a plan as a page that is one file without scripts: what a reviewer of a pull request opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlspec.render.page_frame import file_frame, render_page
from mlspec.render.reader import Reader
from mlspec.state.plan import ACTION_WORDS, ACTIONS, Change, Obstacle
from mlspec.state.resource import Json, field_text

_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "−", "run": ">"}
# What the page says beside the sentences of its template, for translations.
SENTENCES = tuple(ACTION_WORDS.values())


@dataclass(frozen=True, slots=True)
class PlanGroup:
    """Forecasts that change alike, and their changes; where it is several, NAME stands for a forecast's name."""

    forecasts: Sequence[str]
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class PlanPageFacts:
    """Everything of a plan's page. `counts` has the number of changes by action; `impact` and `notes` are sentences with the number
    of forecasts that each is about. `kept` are forecasts whose newer version the gate keeps out.
    """

    target: str
    commit: str | None
    made: str
    forecasts: int
    changing: int
    counts: Sequence[tuple[str, int]]
    groups: Sequence[PlanGroup]
    obstacles: Sequence[Obstacle] = field(default_factory=list)
    kept: Sequence[Change] = field(default_factory=list)
    impact: Sequence[tuple[str, int]] = field(default_factory=list)
    notes: Sequence[tuple[str, int]] = field(default_factory=list)
    has_record: bool = True


def render_plan(facts: PlanPageFacts, reader: Reader) -> str:
    """Return the page."""
    counts = [f"{reader.whole(count)} {reader.say(ACTION_WORDS[action])}" for action, count in facts.counts if count]
    return render_page(
        "plan", file_frame(reader, with_scripts=False), reader, facts=facts, counts=", ".join(counts), signs=_SIGNS,
        destroying=("delete", "replace"), value=_value_text, actions=ACTIONS,
    )  # fmt: skip


def _value_text(value: Json) -> str:
    return "–" if value is None else field_text(value)
