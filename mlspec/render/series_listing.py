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


def list_series(
    overview: ForecastOverview, only: str, *, query: str = "", order: str = "worst", page: int = 1
) -> SeriesPage:
    """Return a page of the series whose name has every word of `query`. A page that does not exist is the nearest that does."""
    words = query.lower().split()
    lines = [line for line in series_lines(overview, only) if all(word in line.name.lower() for word in words)]
    lines.sort(key=_ORDER_KEYS.get(order, _worst_first))
    pages = max(-(-len(lines) // PAGE), 1)
    page = min(max(page, 1), pages)
    return SeriesPage(lines[(page - 1) * PAGE : page * PAGE], len(lines), len(overview.series), page, pages)


def series_lines(overview: ForecastOverview, only: str) -> list[SeriesLine]:
    """Return a line for each series. `only` is the name of the one series of a forecast without series columns."""
    return [
        SeriesLine(unique_id, series_name(overview.columns, row.key, only), row)
        for unique_id, row in zip(overview.ids, overview.series, strict=True)
    ]


def series_name(columns: Sequence[str], key: Sequence[Any], only: str) -> str:
    """Return the name of a series for a person."""
    return " · ".join(f"{column} {value}" for column, value in zip(columns, key, strict=True)) or only


def worst_first(row: OverviewRow) -> tuple[float, float]:
    """Return the sort key of a row: the worst realised error first, then the worst of the backtest; what has none comes last."""
    return (-_or_low(row.realised), -_or_low(row.backtest))


def most_changed_first(row: OverviewRow) -> float:
    """Return the sort key of a row: what moved most against the forecast before first."""
    return -_or_low(None if row.change is None else abs(row.change))


def _worst_first(line: SeriesLine) -> Any:
    return worst_first(line.row)


_ORDER_KEYS: dict[str, Callable[[SeriesLine], Any]] = {
    "worst": _worst_first,
    "largest": lambda line: -_or_low(line.row.forecast),
    "change": lambda line: most_changed_first(line.row),
    "name": lambda _line: 0,  # they are in natural order already
}


def _or_low(value: float | None) -> float:
    return -1.0 if value is None else value
