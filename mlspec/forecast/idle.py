"""Finds series that sell nothing any more, though their rows go on: a product that was delisted, or is phased out.

A slow seller has zeros, too. So a series counts as idle only if its zeros go on for longer than a horizon, for longer than ever
between two of its demands, and for longer than chance explains: if demand came in each period with the probability that it had
until the last one, so long a run of zeros would have a probability below LEAST.

A series without any demand has no such last one. It counts as never sold if its zeros are more than a horizon.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.available import unavailable
from mlspec.forecast.frame import ID, TARGET, TIME
from mlspec.forecast.spans import RowRules, SeriesNumbers, SeriesSpans, number_series_of

LEAST = 0.001


def find_idle_series(
    rows: pd.DataFrame,
    spans: SeriesSpans,
    grid: pd.DatetimeIndex,
    rules: RowRules,
    numbers: SeriesNumbers | None = None,
) -> pd.Series:
    """Return the place on the grid of the last demand of each idle series, by unique_id, among those that have not ended.

    `numbers` are those of the rows, where they are known.
    """
    values = rows[TARGET].to_numpy()
    if not rules.absent_is_zero and not (values == 0).any():
        return pd.Series(dtype="int64")
    places, numbers = grid.get_indexer(rows[TIME]), numbers or number_series_of(rows)
    codes, names = numbers.codes, numbers.names
    running = names.isin(spans.active)[codes] & (places >= 0)
    sold = running & (values != 0) & ~np.isnan(values)
    own, at = _list_demands(codes[sold], places[sold], len(grid))
    demands = pd.Series(at).groupby(own)
    last, first, count = demands.max(), demands.min(), demands.size()
    if rules.absent_is_zero:
        last_place = last.reindex(range(len(names)), fill_value=len(grid)).to_numpy()
        out = running & unavailable(rows) & (places > last_place[codes])
        zeros = spans.newest - last - np.bincount(codes[out], minlength=len(names))[last.index]
    else:
        last_place = last.reindex(range(len(names)), fill_value=len(grid)).to_numpy()
        later = running & (values == 0) & (places > last_place[codes])
        zeros = pd.Series(np.bincount(codes[later], minlength=len(names))).reindex(last.index)
    pauses = np.diff(at, prepend=0) - 1
    pauses[np.diff(own, prepend=-1) > 0] = 0  # before the first demand of a series
    longest = pd.Series(pauses).groupby(own).max()
    rate = count / (last - first + 2)  # of demand: one period more, so that it is below 1
    idle = (zeros > rules.horizon) & (zeros > longest) & ((1 - rate) ** zeros < LEAST)
    found = last[idle].astype("int64")
    return found.set_axis(pd.Index(names[found.index], name=ID))


def find_never_sold(
    rows: pd.DataFrame, spans: SeriesSpans, rules: RowRules, numbers: SeriesNumbers | None = None
) -> pd.Series:
    """Return the place on the grid of the first period of each series that has no demand at all, by unique_id.

    Periods in which a series was not for sale are no zeros. `numbers` are those of the rows, where they are known.
    """
    values, numbers = rows[TARGET].to_numpy(), numbers or number_series_of(rows)
    codes, out = numbers.codes, unavailable(rows)

    def count(rows_of: npt.NDArray[np.bool_]) -> pd.Series:
        return pd.Series(np.bincount(codes[rows_of], minlength=len(numbers.names)), index=numbers.names)

    first = spans.first[spans.first.index.isin(spans.active)]
    sold = count((values != 0) & ~np.isnan(values) & ~out)[first.index]
    zeros = count((values == 0) & ~out)[first.index]
    if rules.absent_is_zero:
        zeros = spans.newest + 1 - first - count(out)[first.index]
    return first[(sold == 0) & (zeros > rules.horizon)]


def _list_demands(
    codes: npt.NDArray[np.intp], places: npt.NDArray[np.intp], length: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return series and place on a grid of `length` of all demands, sorted, each once."""
    keys = codes * length + places
    if not (keys[1:] > keys[:-1]).all():
        keys = np.unique(keys)
    return keys // length, keys % length
