"""Which series get no forecast, or a simple one, and why: those that have ended, have no value, or are new."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mlspec.forecast.candidates.short import LEAST
from mlspec.forecast.frame import ID
from mlspec.forecast.frequency import Frequency
from mlspec.forecast.spans import SeriesSpans

NAMED = 100  # most series of one fate that are named


def series_fates(
    rows: pd.DataFrame, spans: SeriesSpans, grid: pd.DatetimeIndex, frequency: Frequency
) -> dict[str, dict[str, Any]]:
    """Return the number of series of each fate, and for the first of them the name and the period since which it is so.

    `ended`: the period of the last value. `empty`: no row has a value. `new`: the first period, of series that are too short for a
    model.
    """
    lengths = spans.newest + 1 - spans.first[spans.active]
    empty = pd.Index(rows[ID].unique()).difference(spans.first.index)
    new = lengths.index[lengths < LEAST]
    return {
        "ended": _name_series(spans.last_value[spans.ended], grid, frequency),
        "empty": {"count": len(empty), "series": [[str(name), None] for name in empty[:NAMED]]},
        "new": _name_series(spans.first[new], grid, frequency),
    }


def _name_series(places: pd.Series, grid: pd.DatetimeIndex, frequency: Frequency) -> dict[str, Any]:
    named = [[str(name), frequency.format_period(grid[int(place)])] for name, place in places.head(NAMED).items()]
    return {"count": len(places), "series": named}
