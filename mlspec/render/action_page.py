"""Renders the form of an action on a forecast, and what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlspec.render.change_part import ChangePart
from mlspec.render.page_frame import PageFrame, render_page
from mlspec.render.reader import Reader
from mlspec.spec.metrics import accuracy_metrics

# By action: the title of its form and button, and what it does.
ACTION_TEXTS = {
    "silence": (
        "Silence an alert",
        "Until the time is over, no notice of this alert is sent, and the loop does not act on it.",
    ),
    "rollback": (
        "Roll back",
        "An earlier version takes over from the one that serves, now, and makes the newest forecast again.",
    ),
    "hold": (
        "Hold the release",
        "The release that serves stays: nothing newer takes over, and no alert moves traffic, until the hold ends.",
    ),
    "resume": (
        "End the hold",
        "Newer versions may be promoted again, and failed work is tried again. Versions in quarantine stay there.",
    ),
    "notices": ("Send notices again", "The loop sends all notices that were given up to their receivers again."),
}
_UNDER_WAY = "It goes on in a process of its own. The time line of the forecast shows when it is done."
# What the page says beside the sentences of its template, for translations.
SENTENCES = (_UNDER_WAY,)


@dataclass(frozen=True, slots=True)
class ServedSide:
    """A version on one side of a rollback: its newest release, its candidate, and the metrics of its backtest."""

    version: str
    release: int
    candidate: str
    metrics: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class RollbackPart:
    """What a rollback would do: from one version to another, which releases can be chosen, what changes, and what it means.

    `problem` says why it is not known what changes.
    """

    before: ServedSide
    after: ServedSide
    releases: Sequence[tuple[int, str]]
    meaning: Sequence[str]
    changes: ChangePart | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ActionForm:
    """What a form has of its own: its token, the alerts to choose from, what a rollback would do."""

    token: str
    alerts: Sequence[str] = field(default_factory=list)
    rollback: RollbackPart | None = None


def render_action_form(
    forecast: str, action: str, form: ActionForm, frame: PageFrame, reader: Reader, *, suffix: str = ""
) -> str:
    """Return the form of an action."""
    title, what = ACTION_TEXTS[action]
    sides = (form.rollback.before, form.rollback.after) if form.rollback else ()
    return render_page(
        "action", frame, reader, forecast=forecast, title=title, what=what, form=form, done="", goes_on="", suffix=suffix,
        metrics=accuracy_metrics([side.metrics for side in sides]),
    )  # fmt: skip


def render_action_done(
    forecast: str, action: str, done: str, frame: PageFrame, reader: Reader, *, is_over: bool, suffix: str = ""
) -> str:
    """Return the page that says what was `done`, or, if it is not over, that it goes on."""
    title, what = ACTION_TEXTS[action]
    return render_page(
        "action", frame, reader, forecast=forecast, title=title, what=what, form=None, done=done, suffix=suffix,
        goes_on="" if is_over else reader.say(_UNDER_WAY), metrics=(),
    )  # fmt: skip
