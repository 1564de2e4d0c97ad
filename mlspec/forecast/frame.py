"""The panel: all series as one long, regular frame, and what its columns mean.

Inside this package columns have Nixtla's names, and the user's covariates have a prefix, so that names cannot collide. The steps in
`jobs` write outputs with the user's names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import pandas as pd

from mlspec import models
from mlspec.forecast import series_parts
from mlspec.forecast.frequency import Frequency

# As a model of your own sees them.
ID, TIME, TARGET, OBSERVED, MEAN = models.SERIES, models.TIME, models.TARGET, models.OBSERVED, models.MEAN
# Of a backtest's rows: who made them, from which data, and how many periods ahead.
CANDIDATE, CUTOFF, STEP = "candidate", "cutoff", "h"
PREFIX = "x_"  # prefix of the user's covariates
AVAILABLE = "available"  # the share of a period in which a series was for sale, where the data says it


@dataclass(frozen=True)
class Layout:
    """What the columns of a panel mean. Covariates carry the prefix; `season` is in periods, 1 for none.

    `computed` are those of `known` that no column is read for. `cold_start`: whether a rule forecasts series that are too new for a
    model (`forecast.cold_start`).
    """

    frequency: Frequency
    horizon: int
    season: int
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    cold_start: bool = False

    def horizon_after(self, cutoff: pd.Timestamp) -> pd.DatetimeIndex:
        """Return the periods to forecast after a cutoff."""
        return self.frequency.periods_after(cutoff, self.horizon)

    @property
    def planned(self) -> tuple[str, ...]:
        """The known covariates that are read, over the horizon from a plan."""
        return tuple(name for name in self.known if name not in self.computed)


@dataclass(frozen=True)
class Panel:
    """The history up to its cutoff, and the known covariates after it.

    `frame`: unique_id, ds, y, observed, known, past; sorted, every period from a series' first to the cutoff. Where the data says
    it, also `available`: whether the series was for sale.
    `series`: unique_id, static. `future`: unique_id, ds, known, for the `horizon` periods after the cutoff.
    """

    frame: pd.DataFrame
    series: pd.DataFrame
    future: pd.DataFrame
    layout: Layout

    @property
    def cutoff(self) -> pd.Timestamp:
        """The newest period of the history."""
        return self.frame[TIME].max()

    @property
    def times(self) -> pd.DatetimeIndex:
        """The periods of the history, oldest first."""
        return pd.DatetimeIndex(sorted(self.frame[TIME].unique()))

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The covariates that hold texts."""
        frames = (self.frame, self.series)
        return tuple(
            str(name)
            for frame in frames
            for name in frame
            if str(name).startswith(PREFIX) and frame[name].dtype == object
        )

    def known_at(self, cutoff: pd.Timestamp) -> Panel:
        """Return the panel as known at `cutoff`. Of later data, it has only the known covariates over the horizon.

        Every backtest window comes from here, so that no candidate uses data after its cutoff.
        """
        frame, known = self.frame, [ID, TIME, *self.layout.known]
        times = self.layout.horizon_after(cutoff)
        past = frame[frame[TIME] <= cutoff].reset_index(drop=True)
        known_ahead = pd.concat([frame.loc[frame[TIME] > cutoff, known], self.future[known]], ignore_index=True)
        known_ahead = known_ahead[known_ahead[TIME].isin(times) & known_ahead[ID].isin(past[ID].unique())]
        return replace(self, frame=past, future=known_ahead.sort_values([ID, TIME], ignore_index=True))

    @cached_property
    def series_lengths(self) -> pd.Series:
        """The number of periods of each series, by unique_id."""
        return self.frame.groupby(ID, sort=True)[TIME].size()

    def select_series(self, ids: pd.Index) -> Panel:
        """Return the panel of some series; the same object if that is all series."""
        if self.series[ID].isin(ids).all():
            return self
        selected = [part[part[ID].isin(ids)].reset_index(drop=True) for part in (self.frame, self.series, self.future)]
        return replace(self, frame=selected[0], series=selected[1], future=selected[2])

    def part_readers(self, begun_by: pd.Timestamp | None = None) -> list[Callable[[], Panel]]:
        """Return what makes each part of the panel: neighbouring series, of about PART_ROWS rows. A small panel is one part."""
        del begun_by  # see `StoredPanel`
        if len(self.frame) <= series_parts.PART_ROWS:
            return [lambda: self]
        lengths = self.series_lengths
        block = lengths.cumsum().sub(1).floordiv(series_parts.PART_ROWS)
        return [partial(self.select_series, ids.index) for _, ids in lengths.groupby(block)]

    def whole(self) -> Panel:
        """Return the panel with all its rows in memory."""
        return self


def newest_rows(panel: Panel, since: pd.Timestamp) -> pd.DataFrame:
    """Return the values of the periods from `since` on: unique_id, ds, y, observed, and `available` where the data says it."""
    columns = [ID, TIME, TARGET, OBSERVED, *([AVAILABLE] if AVAILABLE in panel.frame else [])]
    rows = panel.frame.loc[panel.frame[TIME] >= since, columns]
    return rows.reset_index(drop=True)


def horizon_frame(panel: Panel) -> pd.DataFrame:
    """Return unique_id and ds of every period to forecast, sorted."""
    times = panel.layout.horizon_after(panel.cutoff)
    return cross_periods(pd.Series(panel.frame[ID].unique()), times)


def cross_periods(ids: pd.Series, times: pd.DatetimeIndex) -> pd.DataFrame:
    """Return unique_id and ds: each of these periods for each series."""
    return pd.DataFrame({ID: ids.to_numpy().repeat(len(times)), TIME: np.tile(times.to_numpy(), len(ids))})


def describe_series(ids: list[str], limit: int = 5) -> str:
    """Return names of series for a sentence: the first few, and how many more."""
    shown = ", ".join(f"'{name}'" for name in ids[:limit])
    return f"{shown} and {len(ids) - limit} more" if len(ids) > limit else shown
