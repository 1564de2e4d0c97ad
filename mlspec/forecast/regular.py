"""Builds a panel from rows that passed the data contract: every series has every period from its first to the newest one.

A period without a row is a zero where the spec says so (`dataset.missing: zero`): it is trained on and scored like any other. Else,
as a row whose value is empty, it gets the value one season earlier, or else the last value before it. It never gets a later value,
so that no backtest window uses its future. Such a period is marked as unobserved: it is used for training, but never scored.
"""

from __future__ import annotations

import pandas as pd

from mlspec import memory
from mlspec.errors import DataError
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Layout, Panel, horizon_frame
from mlspec.forecast.load import KEY, TypedRows
from mlspec.forecast.spans import RowRules, series_spans
from mlspec.forecast.zones import skipped_hours

PERIOD_BYTES = 250  # of memory at the peak, for a period of a series: measured as a lower bound, benchmarks/memory.py


def build_panel(
    rows: TypedRows, future: TypedRows | None, grid: pd.DatetimeIndex, layout: Layout, rules: RowRules
) -> Panel:
    """Return the panel. Series that have ended are left out."""
    span = series_spans(rows.frame, grid, rules)
    active_series = span.active
    _refuse_too_large(span.newest + 1 - span.first[active_series])
    active_rows = rows.frame[rows.frame[ID].isin(active_series)].set_index([ID, TIME])
    full_index = pd.MultiIndex.from_tuples(
        [(name, time) for name in active_series for time in grid[span.first[name] : span.newest + 1]], names=[ID, TIME]
    )
    frame = active_rows[[TARGET, *layout.known, *layout.past]].reindex(full_index).reset_index()
    if rules.absent_is_zero:
        never_was = frame[TIME].isin(skipped_hours(grid, rules.zone))
        frame.loc[~full_index.isin(active_rows.index) & ~never_was, TARGET] = 0.0
    frame[OBSERVED] = frame[TARGET].notna()
    frame[TARGET] = _fill_gaps(frame, layout.season)
    series = static_values(rows.frame, active_series, layout) if layout.static else pd.DataFrame({ID: active_series})
    bare = Panel(
        frame[[ID, TIME, TARGET, OBSERVED, *layout.known, *layout.past]], series, frame[[ID, TIME]][:0], layout
    )
    return Panel(bare.frame, series, _known_future(bare, future), layout)


def _refuse_too_large(periods: pd.Series) -> None:
    """Raise DataError if a panel with so many periods, by series, needs more memory than a step may use.

    A single early date makes every period since then a row, so that a small file can become a large panel.
    """
    rows, limit = int(periods.sum()), memory.step_memory()
    if rows * PERIOD_BYTES > limit.size:
        longest, most = periods.idxmax(), int(periods.max())
        raise DataError(
            f"dataset: {len(periods):,} series have {rows:,} periods from the first of each to the newest one ('{longest}' has "
            f"{most:,}); they need about {memory.format_size(rows * PERIOD_BYTES)} of memory, and a step may use {limit}",
            hint="remove dates that are far too early, use a longer frequency, or split the forecast in several specs; "
            f"or {memory.HINT}",
        )


def static_values(rows: pd.DataFrame, series: pd.Index, layout: Layout) -> pd.DataFrame:
    """Return unique_id and the static columns of these series, sorted: the first value of each."""
    return rows[rows[ID].isin(series)].groupby(ID, sort=True)[list(layout.static)].first().reset_index()


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
