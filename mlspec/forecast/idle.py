"""Finds series that sell nothing any more, though their rows go on: a product that was delisted, or is phased out.

A slow seller has zeros, too. So a series counts as idle only if its zeros go on for longer than a horizon, for longer than ever
between two of its demands, and for longer than chance explains: if demand came in each period with the probability that it had
until the last one, so long a run of zeros would have a probability below LEAST.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlspec.forecast.available import unavailable
from mlspec.forecast.frame import ID, TARGET, TIME
from mlspec.forecast.spans import RowRules, SeriesSpans

LEAST = 0.001


def find_idle_series(rows: pd.DataFrame, spans: SeriesSpans, grid: pd.DatetimeIndex, rules: RowRules) -> pd.Series:
    """Return the place on the grid of the last demand of each idle series, by unique_id, among those that have not ended."""
    values = rows[TARGET].to_numpy()
    if not rules.absent_is_zero and not (values == 0).any():
        return pd.Series(dtype="int64")
    places, running = (
        grid.get_indexer(rows[TIME]),
        rows[ID].isin(spans.active).to_numpy() & (grid.get_indexer(rows[TIME]) >= 0),
    )
    sold = _list_demands(rows, places, running & (values != 0) & ~np.isnan(values))
    last, first, count = (sold.groupby(level=0).agg(how) for how in ("max", "min", "size"))
    if rules.absent_is_zero:
        out = running & unavailable(rows) & (places > last.reindex(rows[ID]).fillna(len(grid)).to_numpy())
        zeros = spans.newest - last - rows.loc[out, ID].value_counts().reindex(last.index, fill_value=0)
    else:
        still = running & (values == 0)
        ids, at = rows[ID].to_numpy()[still], places[still]
        later = at > last.reindex(ids).fillna(len(grid)).to_numpy()
        zeros = pd.Series(ids[later]).value_counts().reindex(last.index, fill_value=0)
    longest = (sold.groupby(level=0).diff() - 1).groupby(level=0).max().fillna(0)
    rate = count / (last - first + 2)  # of demand: one period more, so that it is below 1
    idle = (zeros > rules.horizon) & (zeros > longest) & ((1 - rate) ** zeros < LEAST)
    return last[idle].astype("int64")


def _list_demands(rows: pd.DataFrame, places: np.ndarray, sold: np.ndarray) -> pd.Series:
    """Return the places of all demands, by unique_id, sorted, each place once."""
    demands = pd.DataFrame({ID: rows[ID].to_numpy()[sold], "place": places[sold]}).drop_duplicates()
    return demands.sort_values([ID, "place"]).set_index(ID)["place"]
