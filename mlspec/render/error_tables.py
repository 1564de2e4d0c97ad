"""The tables of a forecast's page with errors: by periods ahead, by period, by cutoff and by segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlspec.render.series_listing import worst_first
from mlspec.state.overview import ErrorPair, ForecastOverview, OverviewRow

SHOWN_SEGMENTS = 50  # rows of a table of segments
_SHOWN_PAIRS = 26  # rows of a table of errors
_BY_HORIZON = ("By periods ahead", "periods ahead")
_BY_PERIOD = ("Realised by period, the newest first", "period")
_BY_CUTOFF = ("Backtest by cutoff, the newest first", "cutoff")
TITLES = (*_BY_HORIZON, *_BY_PERIOD, *_BY_CUTOFF)


@dataclass(frozen=True, slots=True)
class SegmentTable:
    """The rows of a segment's column, the worst first, and how many more there are."""

    column: str
    rows: Sequence[OverviewRow]
    hidden: int


@dataclass(frozen=True, slots=True)
class PairTable:
    """Errors, the largest of them, and how many more there are."""

    rows: Sequence[ErrorPair]
    most: float
    hidden: int


def error_tables(overview: ForecastOverview) -> list[tuple[str, str, PairTable]]:
    """Return a title, the head of the first column, and the errors of each table that has some."""
    tables = (
        (_BY_HORIZON, overview.by_horizon),
        (_BY_PERIOD, overview.by_period[::-1]),
        (_BY_CUTOFF, overview.by_cutoff[::-1]),
    )
    return [(*titles, _pair_table(pairs)) for titles, pairs in tables if pairs]


def _pair_table(pairs: Sequence[ErrorPair]) -> PairTable:
    shown = pairs[:_SHOWN_PAIRS]
    known = [value for pair in shown for value in (pair.realised, pair.backtest) if value is not None]
    return PairTable(shown, max(known, default=0.0), len(pairs) - len(shown))


def segment_tables(overview: ForecastOverview) -> list[SegmentTable]:
    """Return a table for each column that groups series."""
    return [
        SegmentTable(column, sorted(rows, key=worst_first)[:SHOWN_SEGMENTS], max(len(rows) - SHOWN_SEGMENTS, 0))
        for column, rows in overview.segments.items()
    ]
