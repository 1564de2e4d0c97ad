"""A panel in parts by series, each of which is read when it is needed: memory holds a part, and never the panel.

What forecasts series one by one, or counts them, goes through the parts of a `PartedPanel`: those of a `StoredPanel`, or the panel
in memory itself, if it is small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import pandas as pd

from mlspec.forecast.frame import ID, TIME, Layout, Panel

ReadFrame = Callable[[], pd.DataFrame]


@dataclass(frozen=True)
class StoredPanel:
    """The same as a `Panel`, without its rows.

    `readers` return the frame of each part, sorted, and `first_periods` has the first period of its series, by unique_id.
    `all_times` are the periods of all rows. `series` and `future` are of all series. `text_columns`: the covariates that hold
    texts. `known_until`: the cutoff, if it is not the newest period.
    """

    readers: tuple[ReadFrame, ...] = field(repr=False)
    first_periods: tuple[pd.Series, ...] = field(repr=False)
    all_times: pd.DatetimeIndex = field(repr=False)
    series: pd.DataFrame = field(repr=False)
    future: pd.DataFrame = field(repr=False)
    layout: Layout
    text_columns: tuple[str, ...] = ()
    known_until: pd.Timestamp | None = None

    @property
    def cutoff(self) -> pd.Timestamp:
        """The newest period of the history."""
        return self.all_times[-1] if self.known_until is None else self.known_until

    @property
    def times(self) -> pd.DatetimeIndex:
        """The periods of the history, oldest first."""
        return self.all_times[self.all_times <= self.cutoff]

    @cached_property
    def series_lengths(self) -> pd.Series:
        """The number of periods of each series, by unique_id. Every series has all periods from its first one on."""
        first = pd.concat(self.first_periods).sort_index()
        first = first[first <= self.cutoff]
        lengths = len(self.times) - self.all_times.searchsorted(pd.DatetimeIndex(first))
        return pd.Series(lengths, first.index, name=TIME)

    def known_at(self, cutoff: pd.Timestamp) -> StoredPanel:
        """Return the panel as known at `cutoff`, as `Panel.known_at` does for each part."""
        return replace(self, known_until=min(cutoff, self.cutoff).as_unit(self.all_times.unit))

    def part_readers(self, begun_by: pd.Timestamp | None = None) -> list[Callable[[], Panel]]:
        """Return what reads each part with a series that has begun by then, or by the cutoff."""
        by = self.cutoff if begun_by is None else begun_by
        series, future = self._deal(self.series), self._deal(self.future)
        return [
            partial(self._read_part, read, series[number], future[number])
            for number, (read, first) in enumerate(zip(self.readers, self.first_periods, strict=True))
            if (first <= by).any()
        ]

    def whole(self) -> Panel:
        """Return the panel with all its rows in memory, for what cannot go through the parts."""
        frame = pd.concat([read() for read in self.readers]).sort_values([ID, TIME], ignore_index=True)
        return self._at_cutoff(Panel(frame, self.series, self.future, self.layout))

    def _deal(self, rows: pd.DataFrame) -> list[pd.DataFrame]:
        """Return the rows of each part's series."""
        places = pd.concat([pd.Series(number, first.index) for number, first in enumerate(self.first_periods)])
        dealt = places.reindex(rows[ID]).to_numpy()
        return [rows[dealt == number].reset_index(drop=True) for number in range(len(self.readers))]

    def _read_part(self, read: ReadFrame, series: pd.DataFrame, future: pd.DataFrame) -> Panel:
        return self._at_cutoff(Panel(read(), series, future, self.layout))

    def _at_cutoff(self, panel: Panel) -> Panel:
        return panel if self.cutoff == self.all_times[-1] else panel.known_at(self.cutoff)


PartedPanel = Panel | StoredPanel
