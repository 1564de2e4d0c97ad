"""Answers with pages and files: in the reader's language, in a thread, by the policy of pages. An error is a page that says it."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from mlspec.engine.rows import PlainRows
from mlspec.engine.table_file import as_xlsx
from mlspec.errors import MlspecError, NotFound, UsageError
from mlspec.render.csv_text import csv_text
from mlspec.render.fleet_page import render_problem
from mlspec.render.page_frame import LIVE_POLICY, Link, PageFrame, live_frame
from mlspec.render.reader import LANGUAGES, Reader, choose_language

logger = logging.getLogger(__name__)
_AT_ONCE = 2  # pages that are made at once: predictions come first
_LONGEST = 200  # characters of a parameter that are read
_SOON = "2"  # seconds until a page that waits for an overview is asked for again
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


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


class PageMaker:
    """Makes pages, a few at a time. `language` is that of readers whose browsers ask for none of ours."""

    def __init__(self, language: str | None) -> None:
        self._language = language
        self._limiter = CapacityLimiter(_AT_ONCE)

    async def answer(self, request: Request, make: Callable[[Request, PageWish], Response]) -> Response:
        """Return what `make` makes in a thread. An error of the project is a page that says it."""
        wish = read_wish(request, self._language)
        try:
            return await run_sync(partial(make, request, wish), limiter=self._limiter)
        except MlspecError as error:
            logger.debug("a page cannot be made", exc_info=error)
            reader = wish.reader
            frame = self.frame(request, reader, wish, "")
            code = error_status(error)
            return html_response(
                render_problem(error.message, error.hint or "", frame, reader, suffix=wish.suffix), reader, code
            )

    def frame(self, request: Request, reader: Reader, wish: PageWish, at: str, alerts: int = 0) -> PageFrame:
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


def error_status(error: MlspecError) -> int:
    """Return the status of an answer with an error: 404 for what is not there, 400 for what is wrong, 409 for what is not now."""
    if isinstance(error, NotFound):
        return 404
    return 400 if isinstance(error, UsageError) else 409


def read_wish(request: Request, usual: str | None) -> PageWish:
    """Return how a request wants a page: what its address says, else its browser; `usual` if that names none of our languages."""
    named = read_parameter(request, "language")
    accepted = request.headers.get("accept-language", "")
    language = named if named in LANGUAGES else choose_language(accepted, usual or "en").tag
    utc = read_parameter(request, "utc") == "1"
    kept = {"language": named} if named in LANGUAGES else {}
    return PageWish(language, utc, kept | ({"utc": "1"} if utc else {}))


def html_response(page: str, reader: Reader, code: int = 200, *, soon: bool = False) -> Response:
    """Return the answer with a page. `soon`: the browser asks again in a moment."""
    headers = {
        "content-security-policy": LIVE_POLICY,
        "content-language": reader.language.tag,
        "referrer-policy": "same-origin",  # with no-referrer a form would come from the origin "null"
        "vary": "accept-language",
    }
    return Response(page, code, headers | ({"refresh": _SOON} if soon else {}), media_type="text/html")


def file_response(content: bytes, name: str, kind: str) -> Response:
    """Return the answer with a file that a browser saves."""
    return Response(content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})


def csv_response(request: Request, rows: PlainRows, name: str) -> Response:
    """Return rows as CSV; with `form=semicolon` as spreadsheets of half the world write it."""
    own = read_parameter(request, "form") == "semicolon"
    text = csv_text(rows.columns, rows.values, separator=";" if own else ",", decimal_comma=own)
    # The mark at the start says to a spreadsheet that the text is UTF-8.
    return file_response(f"\ufeff{text}".encode(), f"{name}.csv", "text/csv; charset=utf-8")


def workbook_response(rows: PlainRows, name: str) -> Response:
    """Return rows as XLSX."""
    return file_response(as_xlsx(rows), f"{name}.xlsx", _WORKBOOK)


def table_response(request: Request, rows: PlainRows, name: str) -> Response:
    """Return rows in the form that the ending of the address says: CSV or XLSX."""
    is_workbook = request.url.path.endswith(".xlsx")
    return workbook_response(rows, name) if is_workbook else csv_response(request, rows, name)


def download_links(address: str, reader: Reader, kept: Mapping[str, str] | None = None) -> list[Link]:
    """Return links to the forms of a file; `address` is without an ending, `kept` are its parameters. XLSX needs an extra."""
    words = dict(kept or {})
    links = [
        Link(_with_words(f"{address}.csv", words), reader.say("Download CSV")),
        Link(
            _with_words(f"{address}.csv", {**words, "form": "semicolon"}),
            reader.say("Download CSV with ; and decimal commas"),
        ),
    ]
    if importlib.util.find_spec("openpyxl") is not None:
        links.append(Link(_with_words(f"{address}.xlsx", words), reader.say("Download XLSX")))
    return links


def _with_words(address: str, words: Mapping[str, str]) -> str:
    return f"{address}?{urlencode(words)}" if words else address


def read_parameter(request: Request, name: str) -> str:
    """Return a parameter of the address, as far as one is read; empty if it has none."""
    value: Any = request.query_params.get(name, "")
    return str(value)[:_LONGEST]


def read_page_number(request: Request) -> int:
    """Return the number of the page that is asked for; the first, if it is none."""
    text = read_parameter(request, "page")
    return int(text[:9]) if text.isascii() and text.isdecimal() else 1
