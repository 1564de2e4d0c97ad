"""The planner's table as the facts of a page, and the stock that its address names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from starlette.requests import Request

from mlspec.engine.planner_table import PlannedSeries, plan_series, stock_keys
from mlspec.engine.rows import PlainRows
from mlspec.engine.series_curves import CurveSource
from mlspec.errors import UsageError
from mlspec.render.reader import Reader
from mlspec.render.series_listing import series_name
from mlspec.render.stock_page import STOCK_PAGE, StockPart, StockSeries
from mlspec.web.page_answers import read_page_number, read_parameter

_PREFIX = "stock."
_LONGEST = 20  # characters of a stock


def read_stock(request: Request) -> dict[str, str]:
    """Return the stock that an address names, by series, as it was typed."""
    return {
        name.removeprefix(_PREFIX): value.strip()[:_LONGEST]
        for name, value in request.query_params.items()
        if name.startswith(_PREFIX) and value.strip()
    }


def parse_stock(typed: Mapping[str, str], reader: Reader) -> dict[str, float]:
    """Return the stock by series. Raises UsageError for what is no number."""
    return {series: _parse_number(series, text, reader) for series, text in typed.items()}


def _parse_number(series: str, text: str, reader: Reader) -> float:
    try:
        value = float(reader.read_number(text))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(
            f"the stock of {series[:60]} is '{text}', which is no number", hint="write a number, such as 120"
        )
    return value


def stock_part(
    request: Request, source: CurveSource, levels: PlainRows, typed: Mapping[str, str], on_hand: Mapping[str, float]
) -> StockPart:
    """Return the series of the page that is asked for."""
    columns, query = source.spec.dataset.series, read_parameter(request, "q")
    words = query.lower().split()
    keys = stock_keys(source.spec, levels)
    matched = [
        row
        for row, key in zip(levels.values, keys, strict=True)
        if all(word in series_name(columns, key).lower() for word in words)
    ]
    pages = max(-(-len(matched) // STOCK_PAGE), 1)
    page = min(max(read_page_number(request), 1), pages)
    shown = replace(levels, values=matched[(page - 1) * STOCK_PAGE : page * STOCK_PAGE])
    times, planned = plan_series(source, shown, on_hand)
    rows = [_stock_series(columns, series, typed) for series in planned]
    return StockPart(times, rows, len(matched), len(levels.values), page, pages, query)


def _stock_series(columns: Sequence[str], series: PlannedSeries, typed: Mapping[str, str]) -> StockSeries:
    return StockSeries(
        series.id, series_name(columns, series.key), series.levels["reorder_point"], series.levels["order_up_to"],
        typed.get(series.id, ""), [(each.demand, each.order, each.stock) for each in series.periods],
    )  # fmt: skip
