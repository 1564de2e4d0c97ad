"""Cold start: a series that is too new for a model gets its share of what the other series are forecast.

A series with one or two values says roughly how much it sells, and nothing of its season. Its siblings say that: the series with
the same values in all static columns, or all others where no sibling is old enough. So

    forecast = siblings' forecast, summed * (its values since it began / the siblings' values of the same periods)

This is the top-down share of Gross & Sohl (1990), over the few periods that there are. It brings the season, the trend and the
known covariates that a candidate saw in the siblings, and needs no setting. It trusts the first periods: a product that began in
the middle of a week is forecast too low until that week is a small part of its history. Without a sibling that sold anything it is
the mean of the series' own values.

The same function forecasts new series in each window of the backtest, so that what is scored is what a planner sees.
"""

from __future__ import annotations

from functools import partial

import pandas as pd

from mlspec.forecast.candidates.short import LEAST
from mlspec.forecast.frame import ID, MEAN, OBSERVED, TARGET, TIME, newest_rows
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import collect_parts

BY_MODEL, BY_COLD_START = "model", "cold-start"  # values of the column `method` of a forecast
_GROUP, _OTHERS = "group", "others"
_ALL = "all"  # the group of every series that is old enough


def new_series(panel: PartedPanel) -> pd.Index:
    """Return the series that are too new for a model as of the panel's cutoff."""
    lengths = panel.series_lengths
    return lengths.index[lengths < LEAST]


def made_by(ids: pd.Series, panel: PartedPanel) -> pd.Series:
    """Return by which method each of these series is forecast as of the panel's cutoff."""
    is_cold = ids.isin(new_series(panel)) if panel.layout.cold_start else pd.Series(data=False, index=ids.index)
    return is_cold.map({True: BY_COLD_START, False: BY_MODEL})


def forecast_cold_starts(means: pd.DataFrame, panel: PartedPanel) -> pd.DataFrame:
    """Return a candidate's `means` (unique_id, ds, mean) with those of new series replaced by their cold start."""
    new = new_series(panel)
    if not len(new):
        return means
    groups, is_new = _sibling_groups(panel, new), means[ID].isin(new)
    newest = collect_parts(panel, partial(newest_rows, since=panel.times[-LEAST:][0]))
    siblings = _sum_by_group(means[~is_new], MEAN, groups)
    ahead = (
        means[is_new]
        .reset_index()
        .merge(groups, on=ID)
        .merge(siblings, on=[_GROUP, TIME], how="left")
        .set_index("index")
    )
    cold = ahead[_OTHERS] * ahead[ID].map(_shares(newest, new, groups))
    cold = cold.fillna(ahead[ID].map(_own_means(newest, new)))
    return means.assign(**{MEAN: means[MEAN].where(~is_new, cold)})


def _sibling_groups(panel: PartedPanel, new: pd.Index) -> pd.Series:
    """Return each series' group by its static columns: equal values are one group. A group of new series alone is that of all."""
    columns, ids = list(panel.layout.static), panel.series_lengths.index
    groups = pd.Series(_ALL, index=ids, name=_GROUP)
    if not columns:
        return groups
    own = panel.series.set_index(ID).loc[ids].groupby(columns, dropna=False, sort=True).ngroup().astype(str)
    return own.where(own.isin(own.drop(new)), groups).rename(_GROUP)


def _sum_by_group(rows: pd.DataFrame, column: str, groups: pd.Series) -> pd.DataFrame:
    """Return group, ds and the sum over the group's series; also of all series, as the group `all`."""
    named = rows[[ID, TIME, column]].merge(groups, on=ID)
    parts = [named[named[_GROUP] != _ALL], named.assign(**{_GROUP: _ALL})]
    return pd.concat(parts).groupby([_GROUP, TIME], sort=True)[column].sum().rename(_OTHERS).reset_index()


def _shares(frame: pd.DataFrame, new: pd.Index, groups: pd.Series) -> pd.Series:
    """Return by new series its values over those of its siblings, in its own periods; missing where that says nothing."""
    is_new = frame[ID].isin(new)
    own = frame[is_new & frame[OBSERVED]].merge(groups, on=ID)
    old = frame[~is_new & frame[TIME].isin(own[TIME].unique())]
    sums = (
        own.merge(_sum_by_group(old, TARGET, groups), on=[_GROUP, TIME], how="left")
        .groupby(ID)[[TARGET, _OTHERS]]
        .sum()
    )
    return (sums[TARGET] / sums[_OTHERS]).where((sums[_OTHERS] > 0) & (sums[TARGET] >= 0))


def _own_means(frame: pd.DataFrame, new: pd.Index) -> pd.Series:
    return frame[frame[ID].isin(new) & frame[OBSERVED]].groupby(ID)[TARGET].mean()
