"""Finds zeros that look like a stock-out: a series that sells steadily sells nothing for longer than chance explains.

If demand came in each period with the probability that it has outside of the run, so long a run of zeros would be expected less
than once in a thousand histories of this length (the rule of `forecast.idle`, for runs that end). It is no stock-out if the
series pauses anyway, so that another run is at least half as long; a period in which most series sell nothing was closed. A run
that goes on, and is longer than a horizon, is what `forecast.idle` names.
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


def find_stockouts(panel: Panel, closed: pd.Index | None = None) -> pd.DataFrame:
    """Return unique_id, first and last period, and length of each run of zeros that looks like a stock-out, sorted.

    `closed` are the periods that were closed, where the panel has some of the series alone.
    """
    closed = closed_periods(count_zeros(panel)) if closed is None else closed
    series, values = panel.series_lengths, panel.frame[TARGET].to_numpy()
    counted = panel.frame[OBSERVED].to_numpy(dtype=bool) & ~panel.frame[TIME].isin(closed).to_numpy()
    of, zero = np.arange(len(series)).repeat(series.to_numpy())[counted], values[counted] == 0
    times = panel.frame[TIME].to_numpy()[counted]
    seen, sold = (np.bincount(of[which], minlength=len(series)) for which in (slice(None), ~zero))
    follows = np.append(False, zero[1:] & zero[:-1] & (of[1:] == of[:-1]))
    starts = np.flatnonzero(zero & ~follows)
    ends = np.flatnonzero(zero & ~np.append(follows[1:], False))
    length = ends - starts + 1
    began = np.append(False, of[1:] == of[:-1])[starts]  # a series does not begin with a stock-out
    runs = pd.DataFrame({"series": of[starts], "first": times[starts], "length": length})
    runs["last"] = times[ends]
    runs = runs.sort_values(["series", "length"], ascending=[True, False], kind="stable")
    following = runs["length"].shift(-1).where(runs["series"].shift(-1) == runs["series"], 0)
    rate = sold[runs["series"]] / (seen[runs["series"]] - runs["length"] + 1)  # of demand outside of the run
    chance = (1 - rate) ** runs["length"] * seen[runs["series"]]
    goes_on = (runs["last"] == panel.cutoff) & (runs["length"] > panel.layout.horizon)
    longest = ~runs.duplicated("series") & (2 * following < runs["length"])
    found = runs[longest & (chance < LEAST) & ~goes_on & began[runs.index]]
    return found.assign(**{ID: series.index[found["series"]]})[[ID, "first", "last", "length"]].reset_index(drop=True)


def count_zeros(panel: Panel) -> pd.DataFrame:
    """Return for each period how many series have a value (`seen`), and of how many it is 0 (`zeros`). Those of parts add up."""
    periods, distinct = pd.factorize(panel.frame[TIME])
    observed = panel.frame[OBSERVED].to_numpy(dtype=bool)
    zero = observed & (panel.frame[TARGET] == 0).to_numpy()
    seen, zeros = (np.bincount(periods[which], minlength=len(distinct)) for which in (observed, zero))
    return pd.DataFrame({"seen": seen, "zeros": zeros}, index=pd.DatetimeIndex(distinct))


def closed_periods(counts: pd.DataFrame) -> pd.Index:
    """Return the periods in which most series sell nothing."""
    return counts.index[(counts["zeros"] >= _MOST_CLOSED * counts["seen"]) & (counts["seen"] >= _FEWEST_SERIES)]


def describe_stockouts(found: pd.DataFrame, frequency: Frequency) -> Iterator[str]:
    """Yield a sentence on what looks like stock-outs, if there are some."""
    if found.empty:
        return
    shown = ", ".join(_describe_run(row, frequency) for row in found.head(_SHOWN).to_dict("records"))
    more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    yield (
        f"looks like {'a stock-out' if len(found) == 1 else 'stock-outs'}: {shown}{more}. If demand was there, name the column "
        "that says when a series was for sale (dataset.available), or leave these values empty"
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
