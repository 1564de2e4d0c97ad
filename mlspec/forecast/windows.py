"""The windows of a backtest: their number and distance, as a spec asks for, or as a short history allows.

A candidate with a season needs two of them to be estimated. So each window begins with two, if the whole history has them: no
candidate is judged without the season that it will serve with.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mlspec.errors import ModelError
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.spec.forecast import Backtest

# Fewest periods before the first cutoff, and fewest windows: from a single one no champion can be chosen.
FEWEST_PERIODS, FEWEST_WINDOWS = 2, 2
# Windows that overlap more than this share tell little more than one of them.
MOST_OVERLAP = 0.75


@dataclass(frozen=True)
class BacktestWindows:
    """The cutoffs, oldest first, and a sentence on what differs from the spec; empty if nothing does."""

    cutoffs: tuple[pd.Timestamp, ...]
    note: str = ""


def backtest_windows(panel: PartedPanel, backtest: Backtest) -> BacktestWindows:
    """Return the windows of a panel's backtest. Raises ModelError if the history is too short for two windows."""
    horizon, season = panel.layout.horizon, panel.layout.season
    times = panel.times
    asked = (backtest.windows, backtest.step or horizon)
    count, step = fit_windows(len(times), horizon, season, *asked)
    back = horizon + (count - 1) * step
    cutoffs = tuple(times[-1 - back + number * step] for number in range(count))
    if (count, step) == asked:
        return BacktestWindows(cutoffs)
    begins = f", so that each begins with two seasons of {season}" if len(times) - back >= 2 * season > 2 else ""
    return BacktestWindows(
        cutoffs,
        f"the backtest has {count} windows of {horizon} periods, {step} apart: {len(times)} periods of history are too few for "
        f"{asked[0]} windows, {asked[1]} apart{begins}",
    )


def fit_windows(length: int, horizon: int, season: int, windows: int, step: int) -> tuple[int, int]:
    """Return number and distance of the windows for a history of `length` periods: as asked for, or nearer, or fewer.

    Raises ModelError if two do not fit, or a single one that was asked for.
    """
    for least in (2 * season, FEWEST_PERIODS):
        room = length - max(least, FEWEST_PERIODS) - horizon  # periods between the first cutoff and the last
        if room >= (windows - 1) * step:
            return windows, step
        nearest = max(1, round(horizon * (1 - MOST_OVERLAP)))
        for count in range(windows, FEWEST_WINDOWS - 1, -1):
            distance = min(step, room // (count - 1))
            if distance >= min(nearest, step):
                return count, distance
    needed = FEWEST_PERIODS + horizon + (nearest if windows > 1 else 0)
    raise ModelError(
        f"a backtest of {min(windows, FEWEST_WINDOWS)} windows of {horizon} periods needs {needed} periods of history; "
        f"there are {length}",
        hint="lower model.horizon, or provide more history",
    )
