"""Finds zeros that look like a stock-out: a series that sells steadily sells nothing for longer than chance explains.

If demand came in each period with the probability that it has outside of the run, so long a run of zeros would be expected less than
once in a thousand histories of this length (the rule of `forecast.idle`, for runs that end). It is no stock-out if the series pauses
anyway, so that another run is at least half as long; a period in which most series sell nothing was closed. A run that goes on, and is
longer than a horizon, is what `forecast.idle` names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Panel
from mlspec.forecast.frequency import Frequency

LEAST = 0.001
_MOST_CLOSED, _FEWEST_SERIES = 0.5, 3  # with this share of so many series without sales a period was closed
_NAMED, _SHOWN = 100, 3


def find_stockouts(panel: Panel) -> pd.DataFrame:
    """Return unique_id, first and last period, and length of each run of zeros that looks like a stock-out, sorted."""
    frame = panel.frame.loc[panel.frame[OBSERVED], [ID, TIME, TARGET]]
    is_zero = frame[TARGET] == 0
    at_once = is_zero.groupby(frame[TIME])
    closed = (at_once.transform("mean") >= _MOST_CLOSED) & (at_once.transform("size") >= _FEWEST_SERIES)
    frame, is_zero = frame[~closed], is_zero[~closed]
    starts = is_zero & ~((frame[ID] == frame[ID].shift()) & is_zero.shift(fill_value=False))
    zeros = frame[is_zero].assign(run=starts[is_zero].cumsum())
    runs = zeros.groupby("run").agg(**{ID: (ID, "first"), "first": (TIME, "min"), "last": (TIME, "max"), "length": (TIME, "size")})
    sold, seen = (~is_zero).groupby(frame[ID]).sum(), frame.groupby(ID).size()
    lengths = runs.groupby(ID)["length"]
    longest = lengths.transform("max")
    second = lengths.transform(lambda values: values.nlargest(2).iloc[-1] if len(values) > 1 else 0)
    rate = runs[ID].map(sold) / (runs[ID].map(seen) - runs["length"] + 1)  # of demand outside of the run
    chance = (1 - rate) ** runs["length"] * runs[ID].map(seen)
    goes_on = (runs["last"] == panel.cutoff) & (runs["length"] > panel.layout.horizon)
    found = (runs["length"] == longest) & (2 * second < runs["length"]) & (chance < LEAST) & ~goes_on
    began = runs["first"] > runs[ID].map(frame[~is_zero].groupby(ID)[TIME].min())
    return runs[found & began].sort_values([ID, "first"]).reset_index(drop=True)


def describe_stockouts(found: pd.DataFrame, frequency: Frequency) -> Iterator[str]:
    """Yield a sentence on what looks like stock-outs, if there are some."""
    if found.empty:
        return
    shown = ", ".join(_describe_run(row, frequency) for row in found.head(_SHOWN).to_dict("records"))
    more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    yield (
        f"looks like {'a stock-out' if len(found) == 1 else 'stock-outs'}: {shown}{more}. If demand was there, name the column that "
        "says when a series was for sale (dataset.available), or leave these values empty"
    )


def _describe_run(row: dict[Any, Any], frequency: Frequency) -> str:
    first, last = frequency.format_period(row["first"]), frequency.format_period(row["last"])
    return f"'{row[ID]}' sold nothing from {first} to {last} ({row['length']:,} periods)"


def list_stockouts(found: pd.DataFrame, frequency: Frequency) -> dict[str, Any]:
    """Return what looks like stock-outs as JSON: how many, and the first: series, first and last period, number of periods."""
    named = found.head(_NAMED)
    text = frequency.format_period
    return {
        "count": len(found),
        "runs": [
            [str(name), text(first), text(last), int(length)]
            for name, first, last, length in named[[ID, "first", "last", "length"]].itertuples(index=False)
        ],
    }
