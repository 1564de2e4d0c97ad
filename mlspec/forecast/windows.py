"""The windows of a backtest: their number and distance, as a spec asks for, or as a short history allows.

A candidate with a season needs two of them to be estimated. So each window begins with two, if the whole history has them: no
candidate is judged without the season that it will serve with.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mlspec.forecast.stored_panel import PartedPanel
from mlspec.spec.backtest_windows import fit_windows
from mlspec.spec.forecast import Backtest


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
