"""What the step `check` says of values that look wrong: outliers, and zeros that look like a stock-out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlspec.forecast.frame import ID, TIME, Panel
from mlspec.forecast.outliers import describe_outliers, find_unusual, leave_out_events, list_outliers
from mlspec.forecast.stockouts import closed_periods, count_zeros, describe_stockouts, find_stockouts, list_stockouts
from mlspec.spec.dataset import Dataset

# Most periods of a panel that are searched where nothing follows from what is found: some seconds of work.
MOST_PERIODS = 3_000_000


@dataclass(frozen=True)
class OddValues:
    """The facts of values that look wrong, the sentences that say so, and the outliers of which no model shall learn."""

    facts: dict[str, Any]
    notes: list[str]
    hidden: pd.DataFrame


class OddValueSearch:
    """Searches a panel part by part: first what each part tells alone, then what needs to know of all series."""

    def __init__(self, dataset: Dataset, periods: int) -> None:
        """`periods` is the number of periods of all series."""
        self._dataset, self._periods = dataset, periods
        self._is_on = periods <= MOST_PERIODS or dataset.outliers == "replace"
        self._unusual: list[pd.DataFrame] = []
        self._counts: list[pd.DataFrame] = []

    def look_at(self, panel: Panel) -> None:
        """Take what a part tells alone."""
        if self._is_on:
            self._unusual.append(find_unusual(panel))
            self._counts.append(count_zeros(panel))

    def finish(self, parts: Sequence[Callable[[], Panel]], series: int) -> OddValues:
        """Return what was found in all `series`. The parts are read again."""
        if not self._is_on:
            said = f"no outliers and stock-outs were searched: the panel has {self._periods:,} periods, more than {MOST_PERIODS:,}"
            return OddValues({}, [said], pd.DataFrame({ID: [], TIME: []}))
        outliers = leave_out_events(pd.concat(self._unusual, ignore_index=True), series)
        closed = closed_periods(pd.concat(self._counts).groupby(level=0).sum())
        panels = (read() for read in parts)
        found = [(find_stockouts(panel, closed), panel.layout.frequency) for panel in panels]
        frequency, handling = found[0][1], self._dataset.outliers
        stockouts = pd.concat([part for part, _ in found], ignore_index=True).sort_values(
            [ID, "first"], kind="stable", ignore_index=True
        )
        facts = {
            "outliers": list_outliers(outliers, frequency, handling),
            "stockouts": list_stockouts(stockouts, frequency),
        }
        notes = [*describe_outliers(outliers, frequency, handling), *describe_stockouts(stockouts, frequency)]
        return OddValues(facts, notes, outliers if handling == "replace" else outliers[:0])
