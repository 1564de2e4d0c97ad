"""The pages of the server for people: all forecasts, one forecast, the inbox of alerts, and downloads.

They are made here, from the templates of the report. They only read: none of them changes anything.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlspec.errors import NotFound
from mlspec.plan.moments import format_moment
from mlspec.render.action_page import ACTION_TEXTS
from mlspec.render.fleet_page import FleetChoice, render_alerts, render_fleet
from mlspec.render.forecast_page import render_forecast_page
from mlspec.render.page_frame import ASSETS, Link, asset_text
from mlspec.render.reader import LANGUAGES, Reader
from mlspec.render.series_part import SeriesChoice
from mlspec.web.forecast_parts import FurtherPages
from mlspec.web.page_answers import (
    PageMaker,
    PageWish,
    download_links,
    html_response,
    read_page_number,
    read_parameter,
    table_response,
)
from mlspec.web.page_source import PageSource
from mlspec.web.problem import ClientError
from mlspec.web.what_if import WhatIfAnswers

logger = logging.getLogger(__name__)
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_FOREVER = "public, max-age=31536000, immutable"  # the address of a file changes with its content


def page_routes(
    source: PageSource, language: str | None = None, *, with_actions: bool = False, what_if: WhatIfAnswers | None = None
) -> list[Route]:
    """Return the routes of the pages. `language` is that of readers whose browsers ask for none of ours."""
    maker = PageMaker(language)
    parts = FurtherPages(source, maker, what_if)
    pages = _Pages(source, maker, parts.titles, with_actions=with_actions)
    threading.Thread(target=_load_arrow, daemon=True).start()
    return [
        Route("/", pages.fleet, methods=["GET"]),
        Route("/alerts", pages.alerts, methods=["GET"]),
        Route("/forecasts/{name}", pages.forecast, methods=["GET"]),
        Route("/forecasts/{name}/forecast.csv", pages.download, methods=["GET"]),
        Route("/forecasts/{name}/forecast.xlsx", pages.download, methods=["GET"]),
        Route("/forecasts/{name}/releases", parts.releases, methods=["GET"]),
        Route("/forecasts/{name}/quality", parts.quality, methods=["GET"]),
        Route("/forecasts/{name}/quality.csv", parts.quality_file, methods=["GET"]),
        Route("/forecasts/{name}/quality.xlsx", parts.quality_file, methods=["GET"]),
        Route("/forecasts/{name}/stock", parts.stock, methods=["GET"]),
        Route("/forecasts/{name}/stock.csv", parts.stock_file, methods=["GET"]),
        Route("/forecasts/{name}/stock.xlsx", parts.stock_file, methods=["GET"]),
        *([Route("/forecasts/{name}/what-if", parts.what_if, methods=["GET"])] if what_if else []),
        Route("/assets/{name}", send_asset, methods=["GET"]),
    ]


def _load_arrow() -> None:
    """Import what reads curves, which takes seconds on a cold machine: the first page does not wait for it."""
    with suppress(ImportError):
        import pyarrow.compute
        import pyarrow.parquet  # noqa: F401


class _Pages:
    """The pages, one method per path."""

    def __init__(self, source: PageSource, maker: PageMaker, parts: Mapping[str, str], *, with_actions: bool) -> None:
        self._source, self._maker, self._parts, self._with_actions = source, maker, parts, with_actions

    async def fleet(self, request: Request) -> Response:
        return await self._maker.answer(request, self._fleet_page)

    async def alerts(self, request: Request) -> Response:
        return await self._maker.answer(request, self._alerts_page)

    async def forecast(self, request: Request) -> Response:
        return await self._maker.answer(request, self._forecast_page)

    async def download(self, request: Request) -> Response:
        return await self._maker.answer(request, self._forecast_file)

    def _fleet_page(self, request: Request, wish: PageWish) -> Response:
        reader, rows = wish.reader, self._source.fleet()
        choice = FleetChoice(
            read_parameter(request, "q"),
            read_parameter(request, "state"),
            read_parameter(request, "owner"),
            read_page_number(request),
        )
        frame = self._maker.frame(request, reader, wish, "fleet", sum(row.firing for row in rows))
        now = format_moment(self._source.clock())
        return html_response(render_fleet(rows, choice, frame, reader, now=now, suffix=wish.suffix), reader)

    def _alerts_page(self, request: Request, wish: PageWish) -> Response:
        reader, (alerts, undelivered) = wish.reader, self._source.inbox()
        firing = sum(item.state == "firing" for item in alerts)
        frame = self._maker.frame(request, reader, wish, "alerts", firing)
        now = format_moment(self._source.clock())
        return html_response(render_alerts(alerts, undelivered, frame, reader, now=now, suffix=wish.suffix), reader)

    def _forecast_page(self, request: Request, wish: PageWish) -> Response:
        name = request.path_params["name"]
        source, kept, basis = self._source.forecast(name, "UTC" if wish.utc else None)
        choice = SeriesChoice(
            read_parameter(request, "series"), read_parameter(request, "q"), read_parameter(request, "sort") or "worst",
            read_page_number(request), wish.kept.get("language", ""), wish.utc,
        )  # fmt: skip
        curve = self._source.curve(source, basis, choice.series)
        if curve is None:
            raise NotFound(f"{name} has no series '{choice.series}'", hint="the list of its series has them all")
        reader = Reader(LANGUAGES[wish.language], source.facts.zone)
        frame = self._maker.frame(request, reader, wish, "forecast")
        downloads = download_links(f"/forecasts/{name}/forecast", reader)
        actions = _action_links(name, reader, wish) if self._with_actions else ()
        page = render_forecast_page(
            source.facts,
            curve,
            frame,
            reader,
            choice,
            downloads,
            problem=kept.problem,
            actions=actions,
            parts=[
                Link(f"/forecasts/{name}/{part}{wish.suffix}", reader.say(text))
                for part, text in self._parts.items()
                if part != "stock" or source.facts.inventory
            ],
        )
        return html_response(page, reader, soon=kept.is_pending and kept.series is None)

    def _forecast_file(self, request: Request, _wish: PageWish) -> Response:
        name = request.path_params["name"]
        return table_response(request, self._source.rows(name), name)


async def send_asset(request: Request) -> Response:
    """Answer with a file of the pages, which a browser may keep."""
    name = request.path_params["name"]
    if name not in ASSETS:
        raise ClientError("there is no such file", 404)
    kind = _KINDS[name[name.rindex(".") :]]
    return Response(asset_text(name), media_type=kind, headers={"cache-control": _FOREVER})


def _action_links(name: str, reader: Reader, wish: PageWish) -> list[Link]:
    return [
        Link(f"/forecasts/{name}/actions/{action}{wish.suffix}", reader.say(title))
        for action, (title, _) in ACTION_TEXTS.items()
    ]
