"""The pages of the server for people: all forecasts, one forecast, the inbox of alerts, and downloads.

They are made here, from the templates of the report. They only read: none of them changes anything.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlspec.engine.rows import PlainRows
from mlspec.engine.table_file import as_xlsx
from mlspec.errors import MlspecError, UsageError
from mlspec.plan.moments import format_moment
from mlspec.render.action_page import ACTION_TEXTS
from mlspec.render.csv_text import csv_text
from mlspec.render.fleet_page import FleetChoice, render_alerts, render_fleet, render_problem
from mlspec.render.forecast_page import render_forecast_page
from mlspec.render.page_frame import ASSETS, LIVE_POLICY, Link, PageFrame, asset_text, live_frame
from mlspec.render.reader import LANGUAGES, Reader, choose_language
from mlspec.render.series_part import SeriesChoice
from mlspec.web.page_source import PageSource
from mlspec.web.problem import ClientError

logger = logging.getLogger(__name__)
_AT_ONCE = 2  # pages that are made at once: predictions come first
_LONGEST = 200  # characters of a parameter that are read
_SOON = "2"  # seconds until a page that waits for an overview is asked for again
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_FOREVER = "public, max-age=31536000, immutable"  # the address of a file changes with its content
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def page_routes(source: PageSource, language: str | None = None, *, with_actions: bool = False) -> list[Route]:
    """Return the routes of the pages. `language` is that of readers whose browsers ask for none of ours."""
    pages = _Pages(source, language, with_actions=with_actions)
    threading.Thread(target=_load_arrow, daemon=True).start()
    return [
        Route("/", pages.fleet, methods=["GET"]),
        Route("/alerts", pages.alerts, methods=["GET"]),
        Route("/forecasts/{name}", pages.forecast, methods=["GET"]),
        Route("/forecasts/{name}/forecast.csv", pages.download_csv, methods=["GET"]),
        Route("/forecasts/{name}/forecast.xlsx", pages.download_xlsx, methods=["GET"]),
        Route("/assets/{name}", send_asset, methods=["GET"]),
    ]


def _load_arrow() -> None:
    """Import what reads curves, which takes seconds on a cold machine: the first page does not wait for it."""
    with suppress(ImportError):
        import pyarrow.compute
        import pyarrow.parquet  # noqa: F401


@dataclass(frozen=True, slots=True)
class PageWish:
    """How a reader wants a page: the language and clocks, and what of it stands in the page's address."""

    language: str
    utc: bool
    kept: Mapping[str, str]

    @property
    def reader(self) -> Reader:
        """The reader, by the clocks of UTC."""
        return Reader(LANGUAGES[self.language])

    @property
    def suffix(self) -> str:
        """What the addresses of other pages keep."""
        return f"?{urlencode(self.kept)}" if self.kept else ""


class _Pages:
    """The pages, one method per path."""

    def __init__(self, source: PageSource, language: str | None, *, with_actions: bool) -> None:
        self._source, self._language, self._with_actions = source, language, with_actions
        self._limiter = CapacityLimiter(_AT_ONCE)

    async def fleet(self, request: Request) -> Response:
        return await self._answer(request, self._fleet_page)

    async def alerts(self, request: Request) -> Response:
        return await self._answer(request, self._alerts_page)

    async def forecast(self, request: Request) -> Response:
        return await self._answer(request, self._forecast_page)

    async def download_csv(self, request: Request) -> Response:
        return await self._answer(request, self._csv_file)

    async def download_xlsx(self, request: Request) -> Response:
        return await self._answer(request, self._xlsx_file)

    async def _answer(self, request: Request, make: Callable[[Request, PageWish], Response]) -> Response:
        """Return what `make` makes in a thread. An error of the project is a page that says it."""
        wish = read_wish(request, self._language)
        try:
            return await run_sync(partial(make, request, wish), limiter=self._limiter)
        except MlspecError as error:
            logger.debug("a page cannot be made", exc_info=error)
            reader = wish.reader
            frame = self._frame(request, reader, wish, "")
            code = 404 if isinstance(error, UsageError) else 409
            return html_response(
                render_problem(error.message, error.hint or "", frame, reader, suffix=wish.suffix), reader, code
            )

    def _frame(self, request: Request, reader: Reader, wish: PageWish, at: str, alerts: int = 0) -> PageFrame:
        """Return the frame of a page, with links to the same page in other languages and by other clocks."""
        here = dict(request.query_params)
        others = [row for row in LANGUAGES.values() if row.tag != wish.language]
        switches = [Link(f"?{urlencode(here | {'language': row.tag})}", row.name, row.tag) for row in others]
        if at and wish.utc:
            back = {key: value for key, value in here.items() if key != "utc"}
            switches.append(Link(f"?{urlencode(back)}", reader.say("Own time zone")))
        elif at:
            switches.append(Link(f"?{urlencode(here | {'utc': '1'})}", "UTC"))
        return live_frame(reader, at=at, alerts=alerts, utc=wish.utc, switches=switches, kept=wish.kept)

    def _fleet_page(self, request: Request, wish: PageWish) -> Response:
        reader, rows = wish.reader, self._source.fleet()
        choice = FleetChoice(
            _parameter(request, "q"), _parameter(request, "state"), _parameter(request, "owner"), _page_number(request)
        )
        frame = self._frame(request, reader, wish, "fleet", sum(row.firing for row in rows))
        now = format_moment(self._source.clock())
        return html_response(render_fleet(rows, choice, frame, reader, now=now, suffix=wish.suffix), reader)

    def _alerts_page(self, request: Request, wish: PageWish) -> Response:
        reader, (alerts, undelivered) = wish.reader, self._source.inbox()
        firing = sum(item.state == "firing" for item in alerts)
        frame = self._frame(request, reader, wish, "alerts", firing)
        now = format_moment(self._source.clock())
        return html_response(render_alerts(alerts, undelivered, frame, reader, now=now, suffix=wish.suffix), reader)

    def _forecast_page(self, request: Request, wish: PageWish) -> Response:
        name = request.path_params["name"]
        source, kept, basis = self._source.forecast(name, "UTC" if wish.utc else None)
        choice = SeriesChoice(
            _parameter(request, "series"), _parameter(request, "q"), _parameter(request, "sort") or "worst",
            _page_number(request), wish.kept.get("language", ""), wish.utc,
        )  # fmt: skip
        curve = self._source.curve(source, basis, choice.series)
        if curve is None:
            raise UsageError(f"{name} has no series '{choice.series}'", hint="the list of its series has them all")
        reader = Reader(LANGUAGES[wish.language], source.facts.zone)
        frame = self._frame(request, reader, wish, "forecast")
        downloads = _download_links(name, reader)
        actions = _action_links(name, reader, wish) if self._with_actions else ()
        page = render_forecast_page(
            source.facts, curve, frame, reader, choice, downloads, problem=kept.problem, actions=actions
        )
        return html_response(page, reader, soon=kept.is_pending and kept.series is None)

    def _csv_file(self, request: Request, _wish: PageWish) -> Response:
        name, rows = request.path_params["name"], self._source.rows(request.path_params["name"])
        own = _parameter(request, "form") == "semicolon"
        text = csv_text(rows.columns, rows.values, separator=";" if own else ",", decimal_comma=own)
        # The mark at the start says to a spreadsheet that the text is UTF-8.
        return _file(f"\ufeff{text}".encode(), f"{name}.csv", "text/csv; charset=utf-8")

    def _xlsx_file(self, request: Request, _wish: PageWish) -> Response:
        rows: PlainRows = self._source.rows(request.path_params["name"])
        return _file(as_xlsx(rows), f"{request.path_params['name']}.xlsx", _WORKBOOK)


def read_wish(request: Request, usual: str | None) -> PageWish:
    """Return how a request wants a page: what its address says, else its browser; `usual` if that names none of our languages."""
    named = _parameter(request, "language")
    accepted = request.headers.get("accept-language", "")
    language = named if named in LANGUAGES else choose_language(accepted, usual or "en").tag
    utc = _parameter(request, "utc") == "1"
    kept = {"language": named} if named in LANGUAGES else {}
    return PageWish(language, utc, kept | ({"utc": "1"} if utc else {}))


async def send_asset(request: Request) -> Response:
    """Answer with a file of the pages, which a browser may keep."""
    name = request.path_params["name"]
    if name not in ASSETS:
        raise ClientError("there is no such file", 404)
    kind = _KINDS[name[name.rindex(".") :]]
    return Response(asset_text(name), media_type=kind, headers={"cache-control": _FOREVER})


def html_response(page: str, reader: Reader, code: int = 200, *, soon: bool = False) -> Response:
    """Return the answer with a page. `soon`: the browser asks again in a moment."""
    headers = {
        "content-security-policy": LIVE_POLICY,
        "content-language": reader.language.tag,
        "referrer-policy": "same-origin",  # with no-referrer a form would come from the origin "null"
        "vary": "accept-language",
    }
    return Response(page, code, headers | ({"refresh": _SOON} if soon else {}), media_type="text/html")


def _file(content: bytes, name: str, kind: str) -> Response:
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})


def _download_links(name: str, reader: Reader) -> list[Link]:
    links = [
        Link(f"/forecasts/{name}/forecast.csv", reader.say("Download CSV")),
        Link(f"/forecasts/{name}/forecast.csv?form=semicolon", reader.say("Download CSV with ; and decimal commas")),
    ]
    if importlib.util.find_spec("openpyxl") is not None:
        links.append(Link(f"/forecasts/{name}/forecast.xlsx", reader.say("Download XLSX")))
    return links


def _action_links(name: str, reader: Reader, wish: PageWish) -> list[Link]:
    return [
        Link(f"/forecasts/{name}/actions/{action}{wish.suffix}", reader.say(title))
        for action, (title, _) in ACTION_TEXTS.items()
    ]


def _parameter(request: Request, name: str) -> str:
    value: Any = request.query_params.get(name, "")
    return str(value)[:_LONGEST]


def _page_number(request: Request) -> int:
    text = _parameter(request, "page")
    return int(text[:9]) if text.isascii() and text.isdecimal() else 1
