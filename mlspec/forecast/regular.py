"""From rows that keep their contract to a panel: every series has every period from its first to the newest.

A period without a value takes the value one season before it, or else the last value before it: never a later one, so
that no backtest window learns from its future. Such a period is marked unobserved; it is learned from, but never scored.
"""

from __future__ import annotations

import pandas as pd

from mlspec.forecast.contract import spans
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Layout, Panel, horizon_frame
from mlspec.forecast.load import KEY, Rows


def regular(rows: Rows, future: Rows | None, grid: pd.DatetimeIndex, layout: Layout) -> Panel:
    """Return the panel. Series that ended more than a horizon before the newest period are left out (see `ended`)."""
    span = spans(rows.frame, grid)
    alive = span.first.index[span.behind <= layout.horizon]
    kept = rows.frame[rows.frame[ID].isin(alive)].set_index([ID, TIME])
    whole = pd.MultiIndex.from_tuples(
        [(name, time) for name in alive for time in grid[span.first[name] : span.newest + 1]], names=[ID, TIME]
    )
    frame = kept[[TARGET, *layout.known, *layout.past]].reindex(whole).reset_index()
    frame[OBSERVED] = frame[TARGET].notna()
    frame[TARGET] = _filled(frame, layout.season)
    statics = kept.reset_index().groupby(ID, sort=True)[list(layout.static)].first() if layout.static else None
    series = pd.DataFrame({ID: alive}) if statics is None else statics.reset_index()
    bare = Panel(
        frame[[ID, TIME, TARGET, OBSERVED, *layout.known, *layout.past]], series, frame[[ID, TIME]][:0], layout
    )
    return Panel(bare.frame, series, _plan(bare, future), layout)


def ended(rows: Rows, grid: pd.DatetimeIndex, horizon: int) -> list[str]:
    """Return the series that get no forecast, because their last value is older than a horizon."""
    span = spans(rows.frame, grid)
    return [str(name) for name in span.first.index[span.behind > horizon]]


def names(rows: Rows) -> pd.DataFrame:
    """Return unique_id and the user's series columns (`id_`), one row a series, sorted."""
    columns = [name for name in rows.frame if str(name).startswith(KEY)]
    return rows.frame[[ID, *columns]].drop_duplicates(ID).sort_values(ID, ignore_index=True)


def _filled(frame: pd.DataFrame, season: int) -> pd.Series:
    """Fill in time order, so that a filled value may in turn serve a season later."""
    values = frame[TARGET]
    for _ in range(int(values.isna().any()) * _rounds(frame, season)):
        before = values.groupby(frame[ID]).shift(season)
        if not (values.isna() & before.notna()).any():
            break
        values = values.fillna(before)
    return values.groupby(frame[ID]).ffill()


def _rounds(frame: pd.DataFrame, season: int) -> int:
    return int(frame.groupby(ID).size().max()) // max(season, 1) + 1


def _plan(panel: Panel, future: Rows | None) -> pd.DataFrame:
    """Return the known covariates over the horizon, for every series; a plan without series columns serves all."""
    wanted = horizon_frame(panel)
    columns = [ID, TIME, *panel.layout.known]
    if future is None:
        return wanted[columns[:2]] if not panel.layout.known else wanted.reindex(columns=columns)
    by_series = any(str(name).startswith(KEY) for name in future.frame)
    keys = [ID, TIME] if by_series else [TIME]
    return wanted.merge(future.frame[[*keys, *panel.layout.known]], on=keys, how="left")[columns]
