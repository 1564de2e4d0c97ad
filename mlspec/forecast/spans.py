"""What rows say of a series: its first and last period, which periods have a value, and whether the series has ended."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.available import unavailable
from mlspec.forecast.candidates.short import LEAST
from mlspec.forecast.frame import ID, TARGET, TIME
from mlspec.forecast.frequency import parse_frequency, span_between
from mlspec.forecast.zones import skipped_hours
from mlspec.spec.dataset import Dataset

BY_SERIES = ("first", "last", "present", "last_value", "last_sign")  # the fields of spans with a value for each series


@dataclass(frozen=True)
class RowRules:
    """What an absent row says (`absent_is_zero`, or nothing is known), and after how long without a value a series has ended.

    Without `ended_after`, a series has ended after more than a `horizon` without a value; where an absent row is a zero, never.
    `zone` is that of hours: what a clock change leaves out is no gap. `omits_new`: whether series that are too new for a model are
    left out. `zero_ends`: whether a value of 0 is no sign that a series goes on.
    """

    horizon: int
    absent_is_zero: bool = False
    ended_after: pd.Timedelta | None = None
    zone: str | None = None
    omits_new: bool = False
    zero_ends: bool = False

    def find_ended(self, last_value: pd.Series, grid: pd.DatetimeIndex, newest: int) -> pd.Index:
        """Return the series that have ended, from the grid position of each one's last value and of the newest period."""
        if last_value.empty:
            return last_value.index
        if self.ended_after is not None:
            since = {place: span_between(grid[place], grid[newest]) for place in last_value.unique()}
            return last_value.index[last_value.map(since).ge(self.ended_after).to_numpy(dtype=bool)]
        if self.absent_is_zero:
            return last_value.index[:0]
        return last_value.index[newest - last_value > self.horizon]

    def ended_from(self, last_value: int, grid: pd.DatetimeIndex) -> pd.Timestamp:
        """Return the first cutoff at which a series counts as ended, from the grid position of its last value."""
        if self.ended_after is None:
            return grid[last_value + self.horizon + 1]
        later = range(last_value, len(grid))
        return grid[
            later[bisect_left(later, self.ended_after, key=lambda to: span_between(grid[last_value], grid[to]))]
        ]


def row_rules(dataset: Dataset, horizon: int) -> RowRules:
    """Return the rules of a spec's dataset."""
    after = None if dataset.ended_after is None else pd.Timedelta(dataset.ended_after)
    zone = None if parse_frequency(dataset.frequency).is_daily else dataset.timezone
    return RowRules(
        horizon,
        dataset.missing == "zero",
        after,
        zone,
        omits_new=dataset.new_series == "no-forecast",
        zero_ends=dataset.ended_when == "no-demand",
    )


@dataclass(frozen=True)
class SeriesSpans:
    """By series, as positions on the grid: its `first` period, its `last` period, and how many of them have a value (`present`).

    The last period is that of the last value; where an absent row is a zero, it is the `newest` period of all series, unless the
    series has ended. `last_value` is always that of the last value. `last_sign` is that by which a series ends: of its last value,
    or of its last value other than 0. `ended` are the series that have ended; `omits_new` is that of the rules.
    """

    first: pd.Series
    last: pd.Series
    present: pd.Series
    last_value: pd.Series
    last_sign: pd.Series
    newest: int
    ended: pd.Index
    omits_new: bool = False

    def select(self, series: pd.Index) -> SeriesSpans:
        """Return the spans of some series."""
        kept = self.first.index.isin(series)
        parts = {name: getattr(self, name)[kept] for name in BY_SERIES}
        return replace(self, **parts, ended=self.ended[self.ended.isin(series)])

    @property
    def active(self) -> pd.Index:
        """The series that are forecast by a model: those that have not ended, and unless the spec says so, those that are new."""
        running = self.first.index.difference(self.ended)
        return running.difference(self.new) if self.omits_new else running

    @property
    def new(self) -> pd.Index:
        """The series that are too new for a model."""
        running = self.first.index.difference(self.ended)
        return running[(self.newest + 1 - self.first[running] < LEAST).to_numpy(dtype=bool)]

    @property
    def missing_inside(self) -> pd.Series:
        """Number of periods without a value between a series' first and last period."""
        return self.last - self.first + 1 - self.present

    @property
    def missing_behind(self) -> pd.Series:
        """Number of periods between a series' last period and the newest one of all series."""
        return self.newest - self.last

    @property
    def missing_at_end(self) -> pd.Series:
        """The same; none for a series that has ended, which lacks nothing after its end."""
        return self.missing_behind.where(~self.first.index.isin(self.ended), 0)


@dataclass(frozen=True)
class SeriesNumbers:
    """The series of rows as numbers: `codes` by row, and the series with each of them in `names`, sorted."""

    codes: npt.NDArray[np.intp]
    names: pd.Index


def number_series_of(rows: pd.DataFrame) -> SeriesNumbers:
    """Return the series of rows as numbers."""
    codes, names = pd.factorize(rows[ID], sort=True)
    return SeriesNumbers(codes, pd.Index(names))


def series_spans(
    rows: pd.DataFrame,
    grid: pd.DatetimeIndex,
    rules: RowRules,
    newest: int | None = None,
    numbers: SeriesNumbers | None = None,
) -> SeriesSpans:
    """Return the spans of all series that have a value. A row whose value is empty says that the value is not known.

    A period in which a series was not for sale counts as if it had a value, but neither begins a series nor is newer than every
    value: one that no series has a value of is not known yet.

    `newest` is the place of the newest period with a value, where other series have it than those of the rows. `numbers` are those
    of the rows, where they are known.
    """
    places = grid.get_indexer(rows[TIME])
    numbers = numbers or number_series_of(rows)
    codes, names = numbers.codes, numbers.names
    has_value = rows[TARGET].notna().to_numpy() & (places >= 0)
    began = _distinct_places(codes[has_value], places[has_value], len(grid)).min()
    if newest is None:
        newest = int(places[has_value].max(initial=0))
    counted = has_value | (unavailable(rows) & (places >= 0) & (places <= newest))
    inside = counted & (places >= began.reindex(codes).fillna(len(grid)).to_numpy())
    known = _distinct_places(codes[inside], places[inside], len(grid))
    first, last_value, present = (
        part.set_axis(pd.Index(names[part.index], name=ID)) for part in (began, known.max(), known.size())
    )
    last_sign = last_value
    if rules.zero_ends:
        sold = has_value & (rows[TARGET] != 0).to_numpy()
        last_sold = pd.Series(places[sold]).groupby(codes[sold]).max()
        last_sign = last_sold.set_axis(names[last_sold.index]).reindex(first.index).fillna(first).astype("int64")
    ended = rules.find_ended(last_sign, grid, newest)
    last = last_value
    if rules.absent_is_zero:
        last = last_value.where(last_value.index.isin(ended), newest)
        empty = rows.loc[~counted & (places >= 0), [ID, TIME]]
        present = last - first + 1 - _count_empty(empty, grid, first, last)
    present += _count_skipped(grid.get_indexer(skipped_hours(grid, rules.zone)), first, last)
    return SeriesSpans(first, last, present, last_value, last_sign, newest, ended, rules.omits_new)


def join_spans(parts: Sequence[SeriesSpans]) -> SeriesSpans:
    """Return the spans of all series from those of the parts."""
    some = [part for part in parts if len(part.first)] or list(parts[:1])

    def join(name: str) -> pd.Series:
        return pd.concat([getattr(part, name) for part in some]).sort_index()

    by_series = {name: join(name) for name in BY_SERIES}
    ended = by_series["first"].index.intersection(np.concatenate([part.ended for part in some]))
    return SeriesSpans(**by_series, newest=some[0].newest, ended=ended, omits_new=some[0].omits_new)


def _distinct_places(
    codes: npt.NDArray[np.intp], places: npt.NDArray[np.intp], length: int
) -> pd.core.groupby.SeriesGroupBy:
    """Return the places of rows on a grid of `length` by the code of their series, each place once."""
    keys = codes * length + places
    if not (keys[1:] > keys[:-1]).all():  # rows that are sorted by series and time hold each place once
        once = ~pd.Series(keys).duplicated().to_numpy()
        codes, places = codes[once], places[once]
    return pd.Series(places).groupby(codes)


def _count_skipped(places: npt.NDArray[np.intp], first: pd.Series, last: pd.Series) -> npt.NDArray[np.intp]:
    """Return how many of these places lie inside of each series."""
    return places.searchsorted(last.to_numpy(), side="right") - places.searchsorted(first.to_numpy(), side="left")


def _count_empty(empty: pd.DataFrame, grid: pd.DatetimeIndex, first: pd.Series, last: pd.Series) -> pd.Series:
    """Return how many rows with an empty value lie inside of each series."""
    once = empty[empty[ID].isin(first.index)].drop_duplicates([ID, TIME])
    places = pd.Series(grid.get_indexer(once[TIME]), index=once.index)
    inside = (places > once[ID].map(first)) & (places <= once[ID].map(last))
    return inside.groupby(once[ID]).sum().reindex(first.index, fill_value=0).astype("int64")
