"""The series that a page lists: those that match a search, in the order that was asked for, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.state.overview import ForecastOverview, OverviewRow

PAGE = 50  # series of a page
# How series can be ordered: the name in an address, and the words for a person.
ORDERS: dict[str, str] = {
    "worst": "worst error first",
    "largest": "largest forecast first",
    "change": "largest change first",
    "name": "by name",
}


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """One series of a list: its internal id, its name for a person, and its row of the overview."""

    id: str
    name: str
    row: OverviewRow


@dataclass(frozen=True, slots=True)
class SeriesPage:
    """The lines of one page, and how many series match and exist. Pages count from 1."""

    lines: Sequence[SeriesLine]
    matched: int
    total: int
    page: int
    pages: int


class SeriesIndex:
    """An overview's series by name and in each order. It is made once: there may be tens of thousands."""

    def __init__(self, overview: ForecastOverview) -> None:
        self.overview = overview
        self.lines = [
            SeriesLine(unique_id, series_name(overview.columns, row.key) or overview.unit, row)
            for unique_id, row in zip(overview.ids, overview.series, strict=True)
        ]
        self._orders: dict[str, list[SeriesLine]] = {"name": self.lines}  # an overview is in natural order
        self._names = {line.id: line.name for line in self.lines}
        self._searched = {line.id: line.name.lower() for line in self.lines}

    def find_name(self, unique_id: str) -> str | None:
        """Return the name of a series for a person; None if there is none of this id."""
        return self._names.get(unique_id)

    def in_order(self, order: str) -> list[SeriesLine]:
        """Return all series in an order of `ORDERS`; an unknown one is that of the worst errors."""
        order = order if order in ORDERS else "worst"
        if order not in self._orders:
            self._orders[order] = sorted(self.lines, key=_ORDER_KEYS[order])
        return self._orders[order]

    def list_page(self, *, query: str = "", order: str = "worst", page: int = 1) -> SeriesPage:
        """Return a page of the series whose name has every word of `query`. A page that does not exist is the nearest."""
        lines, words = self.in_order(order), query.lower().split()
        if words:
            lines = [line for line in lines if all(word in self._searched[line.id] for word in words)]
        pages = max(-(-len(lines) // PAGE), 1)
        page = min(max(page, 1), pages)
        return SeriesPage(lines[(page - 1) * PAGE : page * PAGE], len(lines), len(self.lines), page, pages)


def series_name(columns: Sequence[str], key: Sequence[Any]) -> str:
    """Return the name of a series for a person; empty for the one series of a forecast without series columns."""
    return " · ".join(f"{column} {value}" for column, value in zip(columns, key, strict=True))


def worst_first(row: OverviewRow) -> tuple[float, float]:
    """Return the sort key of a row: the worst realised error first, then the worst of the backtest; what has none comes last."""
    return (-_or_low(row.realised), -_or_low(row.backtest))


_ORDER_KEYS: dict[str, Callable[[SeriesLine], Any]] = {
    "worst": lambda line: worst_first(line.row),
    "largest": lambda line: -_or_low(line.row.forecast),
    "change": lambda line: -_or_low(None if line.row.change is None else abs(line.row.change)),
}


def _or_low(value: float | None) -> float:
    return -1.0 if value is None else value
