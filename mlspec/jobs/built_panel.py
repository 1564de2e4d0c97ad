"""Builds the panel part by part: each is put away in a file, and becomes one of the panel's parts when all of them are known."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from mlspec.forecast.contract import ContractEvidence
from mlspec.forecast.fates import list_ended_series
from mlspec.forecast.frame import ID, OBSERVED, TIME, Layout, Panel
from mlspec.forecast.load import TypedRows
from mlspec.forecast.named_days import NamedDays, add_named_days
from mlspec.forecast.regular import PlanBySeries, build_panel, fill_gaps, hide_values, series_names
from mlspec.jobs.kept_results import KeptResults
from mlspec.jobs.odd_values import OddValues, OddValueSearch
from mlspec.jobs.panel_parts import PanelWriter

# The frames of a part.
FRAME, SERIES, FUTURE, ENDED = "frame", "series", "future", "ended"


class PanelBuilder:
    """What the parts of a source become. `filled` and `observed` count the periods of the panel without and with a value."""

    def __init__(
        self, evidence: ContractEvidence, layout: Layout, days: NamedDays, *, folder: Path | None, kept: KeptResults
    ) -> None:
        """`evidence` is of all parts, and passed the contract; `days` are the dataset's, by name.

        `folder` is for files that are not kept (`PanelWriter`); `kept` has the parts that an earlier run built.
        """
        self._kept, self._days = kept, days
        dataset = self._dataset = evidence.dataset
        self._evidence, self._layout = evidence, layout
        self._writer = PanelWriter(folder)
        self._plan = PlanBySeries(evidence.future) if folder is not None else None
        span = evidence.spans
        self._search = OddValueSearch(dataset, int((span.newest + 1 - span.first[span.active]).sum()))
        self._series: list[pd.DataFrame] = []
        self._ended: list[pd.DataFrame] = []
        self._futures: list[pd.DataFrame] = []
        self.filled = self.observed = 0

    def add_part(self, number: int, read: Callable[[], TypedRows]) -> None:
        """Build the part of the panel that has the series of the rows of `read`, which is called if no earlier run built it.

        Raises DataError if it needs too much memory.
        """
        grid, newest = self._evidence.grid.periods, self._evidence.spans.newest
        key = {
            "part": number,
            "first": str(grid[0]),
            "newest": str(grid[newest]),
            "of": len(self._evidence.spans.first),
        }
        built = self._kept.make(key, lambda: self._build_part(read()))
        if ENDED in built:
            self._ended.append(built[ENDED])
        if FRAME not in built:
            return
        frame = built[FRAME]
        self._series.append(built[SERIES])
        self._futures.append(built[FUTURE])
        self.observed += int(frame[OBSERVED].sum())
        self.filled += int((~frame[OBSERVED]).sum())
        self._search.look_at(Panel(frame, built[SERIES], built[FUTURE], self._layout))
        self._writer.add_part(frame)

    def _build_part(self, rows: TypedRows) -> dict[str, pd.DataFrame]:
        """Return the frames of a part: of its panel, unless all its series have ended, and of those that have."""
        evidence, newest = self._evidence, self._evidence.spans.newest
        grid = evidence.grid.periods
        names = series_names(rows)
        span = evidence.spans.select(pd.Index(names[ID]))
        built: dict[str, pd.DataFrame] = {}
        if self._dataset.ended_series == "zero" and len(span.ended):
            built[ENDED] = list_ended_series(rows, span, grid, self._layout, evidence.rules)
        if not len(span.active) and len(evidence.spans.active):
            return built
        plan = evidence.future if self._plan is None else self._plan.select(span.active)
        panel = build_panel(rows, plan, grid[: newest + 1], self._layout, evidence.rules, span)
        panel = fill_gaps(add_named_days(panel, self._days))
        return built | {FRAME: panel.frame, SERIES: names.merge(panel.series, on=ID), FUTURE: panel.future}

    def judge_values(self) -> OddValues:
        """Return what looks wrong in the parts, without the outliers from here on if the dataset says so."""
        parts = [partial(self._read_part, number) for number in range(len(self._writer))]
        odd = self._search.finish(parts, len(self._evidence.spans.active))
        for number, read in enumerate(parts):
            if len(odd.hidden):
                self._hide(number, read(), odd.hidden)
        return odd

    def _read_part(self, number: int) -> Panel:
        frame, series = self._writer.read_part(number), self._series[number]
        return Panel(frame, series, frame[[ID, TIME]][:0], self._layout)

    def _hide(self, number: int, panel: Panel, hidden: pd.DataFrame) -> None:
        own = hidden[hidden[ID].isin(panel.series[ID])]
        if len(own):
            self._writer.replace_part(number, hide_values(panel, own).frame)
            self.observed -= len(own)
            self.filled += len(own)

    def count_series(self) -> int:
        """Return the number of series of the panel, without those that have ended."""
        return sum(map(len, self._series))

    def count_times(self) -> int:
        """Return the number of periods from the first one of a series to the newest."""
        span = self._evidence.spans
        return int(span.newest + 1 - span.first[span.active].min())

    @property
    def series(self) -> pd.DataFrame:
        """The rows of the file `series`: the series of the panel, and those that have ended if they are forecast."""
        active = pd.concat(self._series, ignore_index=True)
        return _sort(pd.concat([active, *self._ended], ignore_index=True), [ID])

    @property
    def future(self) -> pd.DataFrame:
        """The known covariates over the horizon for every series of the panel."""
        return _sort(pd.concat(self._futures, ignore_index=True), [ID, TIME])

    def write_panel(self, folder: Path) -> dict[str, Path]:
        """Write the panel, and return its files by role."""
        return self._writer.write(folder)


def _sort(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return frame.sort_values(columns, kind="stable", ignore_index=True)
