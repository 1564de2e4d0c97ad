"""The list of series on a forecast's page, what moved most, and the addresses that choose among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from mlspec.render.curve_data import short_value
from mlspec.render.page_frame import Link
from mlspec.render.reader import Reader
from mlspec.render.series_listing import ORDERS, SeriesIndex, SeriesLine
from mlspec.state.overview import OverviewRow

_SHOWN_MOVERS = 10


@dataclass(frozen=True, slots=True)
class SeriesChoice:
    """What a reader of the server's page chose: a series by its id (empty: the total), and how the series are listed."""

    series: str = ""
    query: str = ""
    order: str = "worst"
    page: int = 1
    language: str = ""
    utc: bool = False

    def address(self, **changes: object) -> str:
        """Return the address of the page with this choice but for some changes, without what is usual."""
        words = {"series": self.series, "q": self.query, "sort": self.order, "page": self.page}
        words |= {"language": self.language, "utc": "1" if self.utc else "", **changes}
        usual = ("", None, 1) if words.get("sort") != "worst" else ("", None, 1, "worst")
        return f"?{urlencode({name: value for name, value in words.items() if value not in usual})}"


@dataclass(frozen=True, slots=True)
class ListedSeries:
    """A series in a table, with the address at which the server shows it."""

    name: str
    row: OverviewRow
    address: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of series as it stands on a page."""

    lines: Sequence[ListedSeries]
    count: str
    query: str
    sort: str
    orders: Sequence[tuple[str, str]]
    pager: Sequence[Link] = ()


def list_part(index: SeriesIndex, reader: Reader, choice: SeriesChoice, *, live: bool) -> Listing:
    """Return the list as it stands on a page; of a live one, its addresses too."""
    found = index.list_page(query=choice.query, order=choice.order, page=choice.page)
    lines = [
        ListedSeries(
            line.name,
            line.row,
            f"{choice.address(series=line.id)}#chart-part" if live else "",
            line.id == choice.series,
        )
        for line in found.lines
    ]
    pager = [
        Link(f"{choice.address(page=to)}#series-part", reader.say(text))
        for text, to in (("Back", found.page - 1), ("Next", found.page + 1))
        if 1 <= to <= found.pages
    ]
    if live and choice.series:
        pager.append(Link(f"{choice.address(series='')}#chart-part", reader.say("All series")))
    count = reader.say(
        "{matched} of {total} series, page {page} of {pages}",
        matched=reader.whole(found.matched), total=reader.whole(found.total), page=reader.whole(found.page),
        pages=reader.whole(found.pages),
    )  # fmt: skip
    order = choice.order if choice.order in ORDERS else "worst"
    return Listing(lines, count, choice.query, order, list(ORDERS.items()), pager if live else ())


def movers(index: SeriesIndex, choice: SeriesChoice | None) -> tuple[list[ListedSeries], int]:
    """Return the series that moved most, and how many more have changed."""
    changed = [line for line in index.in_order("change") if line.row.change]
    shown = [
        ListedSeries(line.name, line.row, f"{choice.address(series=line.id)}#chart-part" if choice else "")
        for line in changed[:_SHOWN_MOVERS]
    ]
    return shown, len(changed) - len(shown)


def compact_row(line: SeriesLine) -> list[Any]:
    """Return a series for the script of a report file."""
    row = line.row
    values = (
        row.forecast,
        row.recent,
        row.change,
        row.change_share,
        row.realised,
        row.backtest,
        row.bias,
    )
    return [line.name, *(short_value(value) for value in values)]
