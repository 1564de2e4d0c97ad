"""Renders the form of an action on a forecast, and what was done."""

from __future__ import annotations

from collections.abc import Sequence

from mlspec.render.page_frame import PageFrame, render_page
from mlspec.render.reader import Reader

# By action: the title of its form and button, and what it does.
ACTION_TEXTS = {
    "silence": (
        "Silence an alert",
        "Until the time is over, no notice of this alert is sent, and the loop does not act on it.",
    ),
    "resume": (
        "End the hold",
        "Newer versions may be promoted again, and failed work is tried again. Versions in quarantine stay there.",
    ),
    "notices": ("Send notices again", "The loop sends all notices that were given up to their receivers again."),
}


def render_action(
    forecast: str,
    action: str,
    frame: PageFrame,
    reader: Reader,
    *,
    token: str = "",
    alerts: Sequence[str] = (),
    done: str = "",
    suffix: str = "",
) -> str:
    """Return the form, or what was `done`."""
    title, what = ACTION_TEXTS[action]
    return render_page(
        "action", frame, reader, forecast=forecast, title=title, what=what, token=token, alerts=alerts, done=done,
        suffix=suffix,
    )  # fmt: skip
