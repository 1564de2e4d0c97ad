"""Renders the page of one forecast: as a file that holds all of its series, or as a page of the server with one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.render.chart_part import chart_part, page_data, quantile_title
from mlspec.render.curve_data import DRAWN_HISTORY, pack_curves, packed_periods
from mlspec.render.error_tables import TITLES, error_tables, segment_tables
from mlspec.render.page_facts import ForecastPageFacts, SeriesCurve
from mlspec.render.page_frame import Link, PageFrame, file_frame, json_block, render_page
from mlspec.render.reader import Reader
from mlspec.render.series_part import SeriesChoice, compact_row, list_part, movers
from mlspec.render.timeline import timeline_entries
from mlspec.spec.metrics import MAIN, accuracy_metrics

_PENDING = "The errors of each series are being measured. This page shows them as soon as they are there."
# What the page says beside the sentences of its template, for translations.
SENTENCES = (_PENDING, *TITLES, "Back", "Next")


@dataclass(frozen=True, slots=True)
class ShownCurve:
    """The curve that a page begins with, and its title; an empty title is the total of all series."""

    curve: SeriesCurve
    title: str = ""


def render_report(
    facts: ForecastPageFacts, total: SeriesCurve, curves: Mapping[str, SeriesCurve], reader: Reader
) -> str:
    """Return a file with all series of a forecast, which needs nothing but a browser."""
    index = facts.series
    lines = index.lines if index else []
    shown = ShownCurve(total)
    if len(curves) == 1 and lines:
        shown = ShownCurve(curves[lines[0].id], lines[0].name)
    extra: dict[str, Any] = {}
    if index is not None:
        extra = {
            "rows": [compact_row(line) for line in lines],
            "keys": [[str(part) for part in line.row.key] for line in lines],
            "columns": list(index.overview.columns),
            "packed": pack_curves([curves.get(line.id) for line in lines]),
        }
    history = packed_periods(len(curves))
    return _render(facts, shown, reader, file_frame(reader), extra=extra, history=history)


def render_forecast_page(
    facts: ForecastPageFacts,
    curve: SeriesCurve,
    frame: PageFrame,
    reader: Reader,
    choice: SeriesChoice,
    downloads: Sequence[Link],
    *,
    problem: str = "",
    actions: Sequence[Link] = (),
    parts: Sequence[Link] = (),
) -> str:
    """Return the page of the server, with the curve of the chosen series. `problem` says why there is no overview.

    `parts` are links to the further pages of the forecast.
    """
    title = (facts.series.find_name(choice.series) if facts.series else None) or choice.series
    shown = ShownCurve(curve, title)
    return _render(
        facts, shown, reader, frame, choice=choice, downloads=downloads, problem=problem, actions=actions, parts=parts
    )


def _render(
    facts: ForecastPageFacts,
    shown: ShownCurve,
    reader: Reader,
    frame: PageFrame,
    *,
    choice: SeriesChoice | None = None,
    downloads: Sequence[Link] = (),
    problem: str = "",
    actions: Sequence[Link] = (),
    parts: Sequence[Link] = (),
    extra: Mapping[str, Any] | None = None,
    history: int = DRAWN_HISTORY,
) -> str:
    curve, title = shown.curve.newest(history), shown.title or reader.say("All series")
    index = facts.series
    moved, hidden_movers = movers(index, choice) if index else ([], 0)
    timeline, hidden_events = timeline_entries(facts.events)
    return render_page(
        "forecast", frame, reader,
        facts=facts,
        over=index.overview if index else None,
        main=MAIN,
        metrics=accuracy_metrics([facts.version["metrics"], index.overview.metrics if index else None]),
        interval=_plain_share(reader, facts.interval),
        quantile=lambda name: quantile_title(reader, name),
        chart=chart_part(facts, curve, title, reader, total=not shown.title),
        hidden_history=len(shown.curve.times) - len(curve.times),
        listing=list_part(index, reader, choice or SeriesChoice(), live=frame.live) if index else None,
        pending=problem or reader.say(_PENDING),
        movers=moved,
        hidden_movers=hidden_movers,
        error_tables=error_tables(index.overview) if index else [],
        segments=segment_tables(index.overview) if index else [],
        timeline=timeline,
        hidden_events=hidden_events,
        downloads=downloads,
        actions=actions,
        parts=parts,
        data=json_block({**page_data(facts, curve, title, reader), **(extra or {})}),
    )  # fmt: skip


def _plain_share(reader: Reader, share: float | None) -> str:
    """Return a share without a fraction of 0: `80%`."""
    return reader.percent(share).replace(".0%", "%").replace(",0%", "%")
