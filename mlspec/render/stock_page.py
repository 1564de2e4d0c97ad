"""Renders the planner's table: series by periods, with demand, orders and expected stock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from mlspec.render.chart import Value
from mlspec.render.page_frame import Link, PageFrame, render_page
from mlspec.render.reader import Reader

STOCK_PAGE = 25  # series of a page


@dataclass(frozen=True, slots=True)
class StockSeries:
    """One series: its id and name, its levels, the stock that it begins with, and a (demand, order, stock) for each period.

    `given` is the stock as a reader typed it; empty where it begins at its order-up-to level.
    """

    id: str
    name: str
    reorder_point: Value
    order_up_to: Value
    given: str
    periods: Sequence[tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class StockPart:
    """The series of one page, and how many match and exist. Pages count from 1."""

    times: Sequence[str]
    rows: Sequence[StockSeries]
    matched: int
    total: int
    page: int
    pages: int
    query: str = ""


def render_stock(
    forecast: str,
    unit: str,
    part: StockPart,
    downloads: Sequence[Link],
    frame: PageFrame,
    reader: Reader,
    *,
    suffix: str = "",
) -> str:
    """Return the page."""
    count = reader.say(
        "{matched} of {total} series, page {page} of {pages}",
        matched=reader.whole(part.matched), total=reader.whole(part.total), page=reader.whole(part.page),
        pages=reader.whole(part.pages),
    )  # fmt: skip
    words = {key: value for key, value in {"q": part.query, **frame.kept}.items() if value}
    pager = [
        Link(f"?{urlencode({**words, 'page': to})}", reader.say(text))
        for text, to in (("Back", part.page - 1), ("Next", part.page + 1))
        if 1 <= to <= part.pages
    ]
    return render_page(
        "stock", frame, reader, forecast=forecast, unit=unit, part=part, count=count, pager=pager, downloads=downloads,
        suffix=suffix,
    )  # fmt: skip
