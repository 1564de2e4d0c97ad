"""Which series get no forecast, or one by a rule instead of a model, and why: those that have ended, have no value, or are new.

An ended series is forecast as zero where the spec says so (`dataset.ended_series: zero`). It is in the file `series` with the first
cutoff from which it counts as ended, and not in the panel: no model learns from it, and nothing of it is scored.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from mlspec.forecast.frame import ID, Layout
from mlspec.forecast.frequency import Frequency
from mlspec.forecast.load import TypedRows
from mlspec.forecast.regular import series_names, static_values
from mlspec.forecast.row_facts import RowFacts
from mlspec.forecast.spans import RowRules, SeriesSpans
from mlspec.spec.dataset import Dataset

NAMED = 100  # most series of one fate that are named
ENDED_FROM = "ended_from"  # the column of the file `series`: the first cutoff from which a series counts as ended
BY_END = "ended"  # a value of the column `method` of a forecast


def series_fates(
    facts: RowFacts, grid: pd.DatetimeIndex, frequency: Frequency, dataset: Dataset, rules: RowRules
) -> dict[str, dict[str, Any]]:
    """Return the number of series of each fate, and for the first of them the name and the period since which it is so.

    `ended`: the period of the last value. `unsold`: that of the last value other than 0, of series that have ended by that.
    `empty`: no row has a value. `new`: the first period, of series that are too short for a model. `idle`: the last value other
    than 0, of series that are forecast though they sell nothing. `never_sold`: the first period, of series that are forecast though
    they never sold anything. `gets`: what the spec says that these series get.
    """
    spans, empty = facts.spans, facts.valueless
    return {
        "unsold" if rules.zero_ends else "ended": _name_series(spans.last_sign[spans.ended], grid, frequency)
        | {"gets": dataset.ended_series},
        "empty": {"count": len(empty), "series": [[str(name), None] for name in empty[:NAMED]]},
        "new": _name_series(spans.first[spans.new], grid, frequency) | {"gets": dataset.new_series},
        "idle": _name_series(facts.idle, grid, frequency),
        "never_sold": _name_series(facts.never_sold, grid, frequency),
    }


def _name_series(places: pd.Series, grid: pd.DatetimeIndex, frequency: Frequency) -> dict[str, Any]:
    named = [[str(name), frequency.format_period(grid[int(place)])] for name, place in places.head(NAMED).items()]
    return {"count": len(places), "series": named}


def list_ended_series(
    rows: TypedRows, spans: SeriesSpans, grid: pd.DatetimeIndex, layout: Layout, rules: RowRules
) -> pd.DataFrame:
    """Return the rows of the file `series` for the series that have ended: unique_id, series columns, statics and `ended_from`."""
    names = series_names(rows)
    ended = names[names[ID].isin(spans.ended)]
    if layout.static:
        ended = ended.merge(static_values(rows.frame, spans.ended, layout), on=ID)
    ended_from = {place: rules.ended_from(int(place), grid) for place in spans.last_sign[spans.ended].unique()}
    return ended.assign(**{ENDED_FROM: ended[ID].map(spans.last_sign).map(ended_from).astype(grid.dtype)})
