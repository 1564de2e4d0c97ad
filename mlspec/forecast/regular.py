"""Builds a panel from rows that passed the data contract: every series has every period from its first to the newest one.

A period without a row is a zero where the spec says so (`dataset.missing: zero`): it is trained on and scored like any other. Else,
as a row whose value is empty, it gets the value one season earlier, or else the last value before it, of periods in which the same
known covariates took place: what was sold in a promotion says little of a period without it. It never gets a later value, so that
no backtest window uses its future. Such a period is marked as unobserved: it is used for training, but never scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import take

from mlspec import memory
from mlspec.errors import DataError
from mlspec.forecast.available import unavailable
from mlspec.forecast.frame import AVAILABLE, ID, OBSERVED, TARGET, TIME, Layout, Panel, horizon_frame
from mlspec.forecast.load import KEY, TypedRows
from mlspec.forecast.spans import RowRules, SeriesSpans, series_spans
from mlspec.forecast.zones import skipped_hours

PERIOD_BYTES = 120  # of memory at the peak, for a period of a series: measured as a lower bound, benchmarks/memory.py


def build_panel(
    rows: TypedRows,
    future: TypedRows | None,
    grid: pd.DatetimeIndex,
    layout: Layout,
    rules: RowRules,
    spans: SeriesSpans | None = None,
) -> Panel:
    """Return the panel, its gaps not yet filled: `fill_gaps` does it when all known covariates are there.

    Series that have ended are left out. `spans` are those of the rows on the grid, where they are known.
    """
    span = spans or series_spans(rows.frame, grid, rules)
    active_series = span.active
    _refuse_too_large(span.newest + 1 - span.first[active_series])
    rooms = SeriesRooms(
        active_series, span.first[active_series].to_numpy(), (span.newest + 1 - span.first[active_series]).to_numpy()
    )
    sale = [AVAILABLE] if AVAILABLE in rows.frame else []
    frame, source = rooms.lay_out(rows.frame, [TARGET, *sale, *layout.planned, *layout.past], grid)
    if sale:
        frame[AVAILABLE] = ~unavailable(frame)
    if rules.absent_is_zero:
        never_was = frame[TIME].isin(skipped_hours(grid, rules.zone)).to_numpy()
        frame.loc[(source < 0) & ~never_was, TARGET] = 0.0
    frame[OBSERVED] = frame[TARGET].notna()
    series = static_values(rows.frame, active_series, layout) if layout.static else pd.DataFrame({ID: active_series})
    bare = Panel(
        frame[[ID, TIME, TARGET, OBSERVED, *sale, *layout.planned, *layout.past]], series, frame[[ID, TIME]][:0], layout
    )
    return Panel(bare.frame, series, _known_future(bare, future), layout)


@dataclass(frozen=True)
class SeriesRooms:
    """The rows of a regular frame: `counts` periods for each of the `series`, from its `first` place on the grid."""

    series: pd.Index
    first: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    def lay_out(
        self, rows: pd.DataFrame, columns: Sequence[str], grid: pd.DatetimeIndex
    ) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
        """Return unique_id, ds and columns of `rows` for each period, sorted, and the row that each comes from; -1 for none."""
        starts = np.cumsum(self.counts) - self.counts
        numbers, places = self.series.get_indexer(rows[ID]), grid.get_indexer(rows[TIME])
        offsets = places - np.append(self.first, 0)[numbers]  # of no series: -1, the last, which is left out below
        inside = (numbers >= 0) & (places >= 0) & (offsets >= 0) & (offsets < np.append(self.counts, 0)[numbers])
        source = np.full(int(self.counts.sum()), -1, dtype="int64")
        source[starts[numbers[inside]] + offsets[inside]] = np.flatnonzero(inside)
        periods = np.arange(len(source)) - (starts - self.first).repeat(self.counts)
        values = {name: take(rows[name].to_numpy(), source, allow_fill=True) for name in columns}
        return pd.DataFrame({ID: self.series.repeat(self.counts), TIME: grid[periods], **values}, copy=False), source

    def numbers(self) -> npt.NDArray[np.int64]:
        """Return the number of the series of each row."""
        return np.arange(len(self.series)).repeat(self.counts)


class PlanBySeries:
    """A plan of known covariates, of which each part of a panel takes the rows of its own series."""

    def __init__(self, plan: TypedRows | None) -> None:
        self._plan = plan
        if self._names_series():
            codes, self._series = pd.factorize(plan.frame[ID])  # type: ignore[union-attr]
            self._rows = np.argsort(codes, kind="stable")
            self._counts = np.bincount(codes, minlength=len(self._series))

    def _names_series(self) -> bool:
        return self._plan is not None and any(str(name).startswith(KEY) for name in self._plan.frame)

    def select(self, series: pd.Index) -> TypedRows | None:
        """Return the plan with the rows of these series; those of one keep their order. A plan for all series stays whole."""
        if self._plan is None or not self._names_series():
            return self._plan
        numbers = self._series.get_indexer(series)
        numbers = numbers[numbers >= 0]
        counts, starts = self._counts[numbers], (np.cumsum(self._counts) - self._counts)[numbers]
        places = np.arange(int(counts.sum())) + (starts - np.cumsum(counts) + counts).repeat(counts)
        return replace(self._plan, frame=self._plan.frame.iloc[self._rows[places]].reset_index(drop=True))


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


def hide_values(panel: Panel, hidden: pd.DataFrame) -> Panel:
    """Return the panel without the values of some series and periods (unique_id, ds): they are filled as gaps are."""
    keys = pd.MultiIndex.from_frame(panel.frame[[ID, TIME]])
    observed = panel.frame[OBSERVED] & ~keys.isin(pd.MultiIndex.from_frame(hidden[[ID, TIME]]))
    return fill_gaps(replace(panel, frame=panel.frame.assign(**{OBSERVED: observed})))


def fill_gaps(panel: Panel) -> Panel:
    """Return the panel with a value in each unobserved period."""
    frame, observed = panel.frame, panel.frame[OBSERVED]
    if observed.all():
        return panel
    numbers = pd.factorize(frame[ID])[0]
    values, kinds = frame[TARGET].where(observed), number_conditions(frame[list(panel.layout.known)])
    return replace(panel, frame=frame.assign(**{TARGET: _fill_gaps(values, numbers, panel.layout.season, kinds)}))


def number_conditions(covariates: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return a number for each row: rows with the same number are comparable.

    They are, where the same covariates take place: each number is 0 or not known in both rows, or in none of them, and each text is
    the same. So a promotion, a discount or a holiday tells rows apart. A price or a temperature, which is there in all rows, does
    not: it hardly has the same value twice.
    """
    kinds = np.zeros(len(covariates), dtype="int64")
    for name in covariates:
        own = covariates[name]
        codes = (
            (own.notna() & (own != 0)).to_numpy(dtype="int64")
            if pd.api.types.is_numeric_dtype(own)
            else pd.factorize(own, use_na_sentinel=False)[0]
        )
        kinds = pd.factorize(kinds * (int(codes.max(initial=0)) + 1) + codes)[0]
    return kinds


def _fill_gaps(
    values: pd.Series, numbers: npt.NDArray[np.int64], season: int, kinds: npt.NDArray[np.int64]
) -> pd.Series:
    """Fill each gap by the newest value whole seasons before it, or else by the last value. `numbers`: the series of each value.

    Values of the same `kinds`, in which comparable things took place, come first. If a gap has none before it, all values count.
    The values of a series stand together, in the order of time. A long gap costs no more than a short one.
    """
    length = max(season, 1)
    counts = np.bincount(numbers)
    places = np.arange(len(values)) - (np.cumsum(counts) - counts)[numbers]
    phases = numbers * length + places % length
    several = int(kinds.max(initial=0)) + 1
    comparable = [phases * several + kinds, numbers * several + kinds] if several > 1 else []
    for groups in (*comparable, phases, numbers):
        if values.isna().any():
            values = values.groupby(groups).ffill()
    return values


def _known_future(panel: Panel, future: TypedRows | None) -> pd.DataFrame:
    """Return the planned covariates over the horizon for every series; a plan without series columns applies to all."""
    horizon_rows = horizon_frame(panel)
    planned = panel.layout.planned
    columns = [ID, TIME, *planned]
    if future is None:
        return horizon_rows[columns[:2]] if not planned else horizon_rows.reindex(columns=columns)
    by_series = any(str(name).startswith(KEY) for name in future.frame)
    keys = [ID, TIME] if by_series else [TIME]
    return horizon_rows.merge(future.frame[[*keys, *planned]], on=keys, how="left")[columns]
