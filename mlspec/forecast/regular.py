"""Builds a panel from rows that passed the data contract: every series has every period from its first to the newest one.

A period without a value gets the value one season earlier, or else the last value before it. It never gets a later value, so that
no backtest window uses its future. Such a period is marked as unobserved: it is used for training, but never scored.
"""

from __future__ import annotations

import pandas as pd

from mlspec.forecast.contract import series_spans
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Layout, Panel, horizon_frame
from mlspec.forecast.load import KEY, TypedRows


def build_panel(rows: TypedRows, future: TypedRows | None, grid: pd.DatetimeIndex, layout: Layout) -> Panel:
    """Return the panel. Series that ended more than a horizon before the newest period are left out (see `ended_series`)."""
    span = series_spans(rows.frame, grid)
    active_series = span.first.index[span.missing_behind <= layout.horizon]
    active_rows = rows.frame[rows.frame[ID].isin(active_series)].set_index([ID, TIME])
    full_index = pd.MultiIndex.from_tuples(
        [(name, time) for name in active_series for time in grid[span.first[name] : span.newest + 1]], names=[ID, TIME]
    )
    frame = active_rows[[TARGET, *layout.known, *layout.past]].reindex(full_index).reset_index()
    frame[OBSERVED] = frame[TARGET].notna()
    frame[TARGET] = _fill_gaps(frame, layout.season)
    statics = active_rows.reset_index().groupby(ID, sort=True)[list(layout.static)].first() if layout.static else None
    series = pd.DataFrame({ID: active_series}) if statics is None else statics.reset_index()
    bare = Panel(
        frame[[ID, TIME, TARGET, OBSERVED, *layout.known, *layout.past]], series, frame[[ID, TIME]][:0], layout
    )
    return Panel(bare.frame, series, _known_future(bare, future), layout)


def ended_series(rows: TypedRows, grid: pd.DatetimeIndex, horizon: int) -> list[str]:
    """Return the series without a forecast, because their last value is older than a horizon."""
    span = series_spans(rows.frame, grid)
    return [str(name) for name in span.first.index[span.missing_behind > horizon]]


def series_names(rows: TypedRows) -> pd.DataFrame:
    """Return unique_id and the user's series columns (`id_`), one row per series, sorted."""
    columns = [name for name in rows.frame if str(name).startswith(KEY)]
    return rows.frame[[ID, *columns]].drop_duplicates(ID).sort_values(ID, ignore_index=True)


def _fill_gaps(frame: pd.DataFrame, season: int) -> pd.Series:
    """Fill in the order of time, so that a filled value can fill a gap one season later."""
    values = frame[TARGET]
    for _ in range(int(values.isna().any()) * _fill_rounds(frame, season)):
        before = values.groupby(frame[ID]).shift(season)
        if not (values.isna() & before.notna()).any():
            break
        values = values.fillna(before)
    return values.groupby(frame[ID]).ffill()


def _fill_rounds(frame: pd.DataFrame, season: int) -> int:
    return int(frame.groupby(ID).size().max()) // max(season, 1) + 1


def _known_future(panel: Panel, future: TypedRows | None) -> pd.DataFrame:
    """Return the known covariates over the horizon for every series; a plan without series columns applies to all."""
    horizon_rows = horizon_frame(panel)
    columns = [ID, TIME, *panel.layout.known]
    if future is None:
        return horizon_rows[columns[:2]] if not panel.layout.known else horizon_rows.reindex(columns=columns)
    by_series = any(str(name).startswith(KEY) for name in future.frame)
    keys = [ID, TIME] if by_series else [TIME]
    return horizon_rows.merge(future.frame[[*keys, *panel.layout.known]], on=keys, how="left")[columns]
