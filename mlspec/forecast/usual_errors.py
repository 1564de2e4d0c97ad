"""What a metric of accuracy reaches where nothing is wrong: a limit from the windows of the backtest, and of what served before.

How large errors are, and how much they differ from one window to the next, is each forecast's own: a fixed threshold fires always
on one and never on another. Forecasts with their actual values are taken in blocks of one window of the alert, each by the worst of
the windows that end in it, as those of drift are (`usual_drift`).

A backtest looks a whole horizon ahead. What is judged looks ahead only to the next forecast, and errs less where forecasts are made
more often. So once enough was served, its own limit counts where that is smaller. The backtest's stays an upper bound: a forecast
that becomes worse little by little does not raise it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from mlspec.forecast.frame import TIME
from mlspec.forecast.usual_drift import MOST_OF_BLOCK

# Most windows that are measured over all segments: some seconds of work.
MOST_WINDOWS = 1000
# Fewest blocks of what was served that say anything. Those of 60 daily forecasts and a window of a week are seven.
FEWEST_SERVED = 6
Badness = Callable[[pd.DataFrame], float | None]


def error_blocks(rows: pd.DataFrame, badness: Badness, length: int, *, segments: int = 1) -> list[float]:
    """Return the badness of the worst window of each block of `length` periods, the newest block first.

    `rows` are forecasts with their actual values, one a series and period. `badness` is how bad those of a window are, from 0. With
    many segments, fewer windows are measured.
    """
    periods = sorted(rows[TIME].unique())
    by_period = rows[TIME].map({period: number for number, period in enumerate(periods)})
    count = len(periods) // length
    each = min(MOST_OF_BLOCK, length, max(MOST_WINDOWS // max(count * segments, 1), 1))
    blocks = []
    for block in range(count):
        ends = [len(periods) - block * length - length * number // each for number in range(each)]
        values = [badness(rows[by_period.between(end - length, end - 1)]) for end in ends if end >= length]
        known = [value for value in values if value is not None]
        if known:
            blocks.append(max(known))
    return blocks


def smaller_limits(by_backtest: Sequence[Mapping[str, float]], by_served: Mapping[str, float]) -> dict[str, float]:
    """Return each segment's limit: the largest of the backtests, or that of what was served if it is smaller or the only one."""
    limits: dict[str, float] = {}
    for found in by_backtest:
        limits |= {segment: max(limit, limits.get(segment, limit)) for segment, limit in found.items()}
    return limits | {segment: min(limit, limits.get(segment, limit)) for segment, limit in by_served.items()}
