"""The planner's table: each series over the periods of the newest forecast, with orders and expected stock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.engine.rows import PlainRows
from mlspec.engine.series_curves import CurveSource, load_means
from mlspec.plan.stock_projection import OrderRules, StockPeriod, project_stock
from mlspec.spec.forecast import Forecast
from mlspec.spec.inventory import Inventory
from mlspec.state.split import series_key

_FEW = 100  # series that are read by their names
_COLUMNS = ("demand", "order", "arrival", "expected_stock")


@dataclass(frozen=True, slots=True)
class PlannedSeries:
    """One series: its id, its key, its levels, the stock that it begins with, and its periods; none, if it is not forecast."""

    id: str
    key: tuple[Any, ...]
    levels: Mapping[str, Any]
    on_hand: float
    periods: Sequence[StockPeriod]


def stock_keys(spec: Forecast, levels: PlainRows) -> list[tuple[Any, ...]]:
    """Return the key of each row of the stock levels."""
    places = [levels.columns.index(name) for name in spec.dataset.series]
    return [tuple(row[at] for at in places) for row in levels.values]


def plan_series(
    source: CurveSource, levels: PlainRows, on_hand: Mapping[str, float]
) -> tuple[list[str], list[PlannedSeries]]:
    """Return the periods, and each series of `levels` over them.

    A series that `on_hand` does not name begins at its order-up-to level.
    """
    spec, inventory = source.spec, source.spec.inventory
    if inventory is None:
        return [], []
    keys = stock_keys(spec, levels)
    ids = [series_key(dict(zip(spec.dataset.series, map(str, key), strict=True))) for key in keys]
    # A filter that names thousands of series is deeper than the reader of Parquet files can go.
    means = load_means(source, ids if len(ids) <= _FEW else None)
    times = sorted({time for own in means.values() for time in own})
    planned = []
    for unique_id, key, row in zip(ids, keys, levels.values, strict=True):
        named = dict(zip(levels.columns, row, strict=True))
        begin = on_hand.get(unique_id, float(named["order_up_to"] or 0.0))
        demand = [float(means.get(unique_id, {}).get(time) or 0.0) for time in times]
        planned.append(
            PlannedSeries(unique_id, key, named, begin, project_stock(demand, order_rules(inventory, named), begin))
        )
    return times, planned


def order_rules(inventory: Inventory, levels: Mapping[str, Any]) -> OrderRules:
    """Return by what a series is ordered for: the spec's terms, or those that stand beside its levels."""
    terms = inventory.constant_terms()
    terms |= {
        name: float(levels[name] or 0.0)
        for name in ("lead_time", "review_period", "pack_size", "minimum_order")
        if name in levels
    }
    return OrderRules(
        order_up_to=float(levels["order_up_to"] or 0.0),
        reorder_point=float(levels["reorder_point"] or 0.0) if inventory.policy == "(s,S)" else None,
        lead_time=math.ceil(terms["lead_time"]),
        review_period=max(math.ceil(terms["review_period"]), 1),
        pack_size=terms["pack_size"],
        minimum_order=terms["minimum_order"],
    )


def planner_rows(spec: Forecast, times: Sequence[str], planned: Sequence[PlannedSeries]) -> PlainRows:
    """Return a row for each series and period."""
    values = [
        [*series.key, time, period.demand, period.order, period.arrival, period.stock]
        for series in planned
        for time, period in zip(times, series.periods, strict=True)
    ]
    return PlainRows([*spec.dataset.series, spec.dataset.time, *_COLUMNS], values)
