"""How good forecasts turned out: those that were made against the actuals that have come since, once a period is mature.

A period is mature when its end lies `available_after` in the past and enough of the series that were forecast have a value for it.
Each period is judged by the newest forecast that was made before it (Tashman 2000, on fixed lead times: the shortest lead).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Panel
from mlspec.forecast.scales import scales
from mlspec.forecast.scores import score

CUTOFF = "cutoff"


@dataclass(frozen=True)
class Maturity:
    """When the truth about a period is known: `delay` after its end, for a share of `coverage` of the series."""

    delay: pd.Timedelta
    coverage: float


def matched(panel: Panel, forecasts: Sequence[pd.DataFrame], maturity: Maturity, now: pd.Timestamp) -> pd.DataFrame:
    """Return forecasts beside their actuals, one row a series and mature period, sorted.

    `forecasts` have unique_id, ds, cutoff, mean and a column a quantile; `now` is in UTC, without a zone. Columns are theirs and y,
    with the scales that scaled errors are divided by.
    """
    if not forecasts:
        return pd.DataFrame()
    made = pd.concat(forecasts, ignore_index=True).sort_values([TIME, CUTOFF])
    made = made.drop_duplicates([ID, TIME], keep="last")
    actuals = panel.frame.loc[panel.frame[OBSERVED], [ID, TIME, TARGET]]
    rows = made.merge(actuals, on=[ID, TIME], how="left")
    known = rows.groupby(TIME)[TARGET].agg(lambda values: values.notna().mean())
    mature = [
        period
        for period, share in known.items()
        if panel.layout.frequency.end(period) + maturity.delay <= now and share >= maturity.coverage
    ]
    rows = rows[rows[TIME].isin(mature) & rows[TARGET].notna()].merge(scales(panel), on=ID, how="left")
    return rows.sort_values([TIME, ID], ignore_index=True)


def windows(rows: pd.DataFrame, length: int, count: int) -> list[pd.DataFrame]:
    """Return the rows of the last `count` windows of `length` periods, each one period earlier, newest first.

    A window that the mature periods do not fill is empty: too little data is no value, not a good one.
    """
    periods = sorted(rows[TIME].unique()) if len(rows) else []
    ends = [len(periods) - back for back in range(count)]
    return [rows[rows[TIME].isin(periods[end - length : end])] if end >= length else rows[:0] for end in ends]


def value(rows: pd.DataFrame, metric: str, quantiles: Sequence[float]) -> float | None:
    """Return one measure over the rows; None where there are none."""
    return score(rows, quantiles)[metric] if len(rows) else None
