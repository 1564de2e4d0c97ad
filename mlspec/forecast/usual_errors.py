"""What a metric of accuracy reaches where nothing is wrong: a limit from the windows of the backtest of the version that serves.

How large errors are, and how much they differ from one window to the next, is each forecast's own: a fixed threshold fires always on
one and never on another. The backtest has the forecasts of the same candidate over several horizons. They are taken in blocks of one
window of the alert, each by the worst of the windows that end in it, as those of drift are (`usual_drift`).

It errs on the calm side where forecasts are made more often than once a horizon: the backtest looks a whole horizon ahead, and what
is judged looks ahead only to the next forecast.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from mlspec.forecast.frame import TIME
from mlspec.forecast.usual_drift import MOST_OF_BLOCK, usual_limit

# Most windows that are measured over all segments: some seconds of work.
MOST_WINDOWS = 1000
Badness = Callable[[pd.DataFrame], float | None]


def error_limit(
    rows: pd.DataFrame, badness: Badness, length: int, share: float, *, segments: int = 1
) -> float | None:
    """Return the badness that the worst window of a block exceeds with at most the probability `share`; None if too few are known.

    `rows` are forecasts of a backtest with their actual values, one a series and period. `badness` is how bad a window is, from 0.
    """
    return usual_limit(error_blocks(rows, badness, length, segments=segments), share)


def error_blocks(rows: pd.DataFrame, badness: Badness, length: int, *, segments: int = 1) -> list[float]:
    """Return the badness of the worst window of each block, the newest block first. With many segments, fewer windows are measured."""
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
