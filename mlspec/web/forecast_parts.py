"""The further pages of one forecast: its releases side by side, the quality of its data, what-ifs, and orders."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from mlspec.engine.data_quality import load_quality, quality_rows
from mlspec.engine.planner_table import plan_series, planner_rows
from mlspec.engine.rows import newest_run
from mlspec.engine.serving_record import load_serving
from mlspec.errors import MlspecError, StateError
from mlspec.plan.serving import observed_traffic
from mlspec.render.page_frame import PageFrame
from mlspec.render.quality_page import render_quality
from mlspec.render.reader import LANGUAGES, Reader
from mlspec.render.releases_page import render_releases
from mlspec.render.stock_page import render_stock
from mlspec.render.what_if_page import render_what_if
from mlspec.web.page_answers import PageMaker, PageWish, download_links, html_response, read_parameter, table_response
from mlspec.web.page_source import PageSource
from mlspec.web.release_facts import release_facts, release_pair
from mlspec.web.stock_facts import parse_stock, read_stock, stock_part
from mlspec.web.what_if import WhatIfAnswers
from mlspec.web.what_if_facts import read_what_if, what_if_part

# The further pages of a forecast: the end of their address, and their title.
PART_TITLES = {"releases": "Releases", "quality": "Data quality", "what-if": "What if", "stock": "Orders and stock"}


class FurtherPages:
    """The pages, one method per path."""

    def __init__(self, source: PageSource, maker: PageMaker, what_if: WhatIfAnswers | None) -> None:
        self._source, self._maker, self._what_if = source, maker, what_if

    @property
    def titles(self) -> dict[str, str]:
        """The titles of the pages that there are, by the end of their address."""
        return {part: text for part, text in PART_TITLES.items() if part != "what-if" or self._what_if}

    async def stock(self, request: Request) -> Response:
        """Answer with the planner's table."""
        return await self._maker.answer(request, self._stock_page)

    async def stock_file(self, request: Request) -> Response:
        """Answer with the whole table as a file."""
        return await self._maker.answer(request, self._stock_file)

    def _stock_page(self, request: Request, wish: PageWish) -> Response:
        name = self._source.require_name(request.path_params["name"])
        reader, frame = self._reader(request, name, wish)
        levels = self._source.stock_levels(name)
        source = self._source.curve_source(name)
        typed = read_stock(request)
        on_hand = parse_stock(typed, reader)
        part = stock_part(request, source, levels, typed, on_hand)
        kept = {"language": wish.language, **{f"stock.{series}": text for series, text in typed.items()}}
        downloads = download_links(f"/forecasts/{name}/stock", reader, kept)
        page = render_stock(name, source.spec.dataset.target, part, downloads, frame, reader, suffix=wish.suffix)
        return html_response(page, reader)

    def _stock_file(self, request: Request, wish: PageWish) -> Response:
        name = self._source.require_name(request.path_params["name"])
        levels = self._source.stock_levels(name)
        source = self._source.curve_source(name)
        on_hand = parse_stock(read_stock(request), Reader(LANGUAGES[wish.language]))
        times, planned = plan_series(source, levels, on_hand)
        return table_response(request, planner_rows(source.spec, times, planned), f"{name}-stock")

    async def releases(self, request: Request) -> Response:
        """Answer with the releases, two of them side by side."""
        return await self._maker.answer(request, self._releases_page)

    async def quality(self, request: Request) -> Response:
        """Answer with what the checks of the data found over time."""
        return await self._maker.answer(request, self._quality_page)

    async def quality_file(self, request: Request) -> Response:
        """Answer with the same as a file."""
        return await self._maker.answer(request, self._quality_file)

    async def what_if(self, request: Request) -> Response:
        """Answer with the form of a what-if, and its answer."""
        return await self._maker.answer(request, self._what_if_page)

    def _what_if_page(self, request: Request, wish: PageWish) -> Response:
        name, target = self._source.require_name(request.path_params["name"]), self._source.target
        reader, frame = self._reader(request, name, wish)
        form, assumed = read_what_if(request, load_serving(target, name), newest_run(target, name), reader)
        answer, problem = None, ""
        if assumed.values and self._what_if:
            try:
                answer = what_if_part(self._what_if.answer(name, assumed))
            except MlspecError as error:
                problem = error.sentence
        page = render_what_if(form, answer, frame, reader, problem=problem, suffix=wish.suffix)
        return html_response(page, reader, 400 if problem else 200)

    def _quality_page(self, request: Request, wish: PageWish) -> Response:
        name = self._source.require_name(request.path_params["name"])
        reader, frame = self._reader(request, name, wish)
        downloads = download_links(f"/forecasts/{name}/quality", reader)
        rows = load_quality(self._source.target, name)
        return html_response(render_quality(name, rows, downloads, frame, reader, suffix=wish.suffix), reader)

    def _quality_file(self, request: Request, _wish: PageWish) -> Response:
        name = self._source.require_name(request.path_params["name"])
        rows = quality_rows(load_quality(self._source.target, name))
        return table_response(request, rows, f"{name}-quality")

    def _reader(self, request: Request, name: str, wish: PageWish) -> tuple[Reader, PageFrame]:
        """Return who reads a page of one forecast, by the clocks of the forecast, and its frame."""
        reader = Reader(LANGUAGES[wish.language], "UTC" if wish.utc else self._source.zone(name))
        return reader, self._maker.frame(request, reader, wish, "forecast")

    def _releases_page(self, request: Request, wish: PageWish) -> Response:
        name, target = self._source.require_name(request.path_params["name"]), self._source.target
        releases = target.load_releases(name)
        if not releases:
            raise StateError(f"{name} has no release yet", hint="`mlspec status` says why; `mlspec apply` makes one")
        kept = self._source.overview(name)
        realised = kept.series.overview.by_version if kept.series else ()
        traffic = observed_traffic(target.observe_forecast(name))
        rows = release_facts(releases, target.load_versions(name), realised, traffic)
        pair = None
        if len(releases) > 1:
            first = read_parameter(request, "a") or str(releases[1].release)
            second = read_parameter(request, "b") or str(releases[0].release)
            pair = release_pair(rows, self._source.release_comparison(name, first, second))
        reader, frame = self._reader(request, name, wish)
        pending = kept.is_pending and kept.series is None
        page = render_releases(name, rows, pair, frame, reader, pending=pending, suffix=wish.suffix)
        return html_response(page, reader, soon=pending)
