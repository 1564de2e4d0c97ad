"""Renders the pages of all forecasts: their list, and the inbox of alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from mlspec.render.page_facts import FleetRow, InboxItem, UndeliveredItem
from mlspec.render.page_frame import Link, PageFrame, render_page
from mlspec.render.reader import Reader
from mlspec.spec.metrics import MAIN

FLEET_PAGE = 100  # forecasts of a page
STATES = ("ready", "not ready", "firing", "rollout", "held", "undelivered")


@dataclass(frozen=True, slots=True)
class FleetChoice:
    """Which forecasts are listed: those whose name or owner has `query`, of a state, of an owner; pages count from 1."""

    query: str = ""
    state: str = ""
    owner: str = ""
    page: int = 1

    def choose(self, rows: Sequence[FleetRow]) -> list[FleetRow]:
        """Return the forecasts that match, of all pages."""
        words = self.query.lower().split()
        return [
            row
            for row in rows
            if all(word in f"{row.name} {row.owner}".lower() for word in words)
            and (not self.state or self.state in row.states)
            and (not self.owner or self.owner == row.owner)
        ]


def render_fleet(
    rows: Sequence[FleetRow], choice: FleetChoice, frame: PageFrame, reader: Reader, *, now: str, suffix: str = ""
) -> str:
    """Return the page of all forecasts. `suffix` is what the addresses of other pages keep of this one's."""
    found = choice.choose(rows)
    pages = max(-(-len(found) // FLEET_PAGE), 1)
    page = min(max(choice.page, 1), pages)
    count = reader.say(
        "{matched} of {total} forecasts, page {page} of {pages}",
        matched=reader.whole(len(found)), total=reader.whole(len(rows)), page=reader.whole(page), pages=reader.whole(pages),
    )  # fmt: skip
    words = {"q": choice.query, "state": choice.state, "owner": choice.owner, **frame.kept}
    pager = [
        Link(f"/?{urlencode({**{key: value for key, value in words.items() if value}, 'page': to})}", reader.say(text))
        for text, to in (("Back", page - 1), ("Next", page + 1))
        if 1 <= to <= pages
    ]
    return render_page(
        "fleet", frame, reader,
        rows=found[(page - 1) * FLEET_PAGE : page * FLEET_PAGE], choice=choice, states=STATES,
        owners=sorted({row.owner for row in rows if row.owner}), count=count, counts=fleet_counts(rows, reader),
        pager=pager, main=MAIN, now=now, suffix=suffix,
    )  # fmt: skip


def fleet_counts(rows: Sequence[FleetRow], reader: Reader) -> str:
    """Return how many forecasts there are in each state; states that none is in are left out."""
    counted = ((state, sum(state in row.states for row in rows)) for state in STATES)
    parts = [f"{reader.whole(count)} {reader.say(state)}" for state, count in counted if count]
    return ", ".join(parts) or reader.say("No forecast is applied yet.")


def render_alerts(
    alerts: Sequence[InboxItem],
    undelivered: Sequence[UndeliveredItem],
    frame: PageFrame,
    reader: Reader,
    *,
    now: str,
    suffix: str = "",
) -> str:
    """Return the inbox."""
    firing = sum(item.state == "firing" for item in alerts)
    counts = reader.say(
        "{firing} firing, {others} others, {undelivered} notices not delivered",
        firing=reader.whole(firing), others=reader.whole(len(alerts) - firing), undelivered=reader.whole(len(undelivered)),
    )  # fmt: skip
    return render_page(
        "alerts", frame, reader, alerts=alerts, undelivered=undelivered, counts=counts, now=now, suffix=suffix
    )


def render_problem(
    message: str,
    hint: str,
    frame: PageFrame,
    reader: Reader,
    *,
    suffix: str = "",
    title: str = "",
    forecast: str = "",
) -> str:
    """Return a page that says why there is none, or why what `title` names was not done with a forecast.

    Without a title it says that there is nothing to show.
    """
    return render_page(
        "problem", frame, reader, message=message, hint=hint, suffix=suffix, title=title, forecast=forecast
    )
