"""What a drift metric reaches where nothing has drifted: a limit from the values of past windows of the same forecast.

Series share their days: a warm week moves all of them, so 64 pooled values hold far less than 64 independent ones, and a fixed
threshold fires on weather. How far such weeks go is told by the forecast's own past, window by window. Neighbouring windows share
most of their values, so the past is taken in blocks of as many windows as a window has periods, each by its largest value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from mlspec.forecast.data_metrics import DataWindow

Formula = Callable[[DataWindow], float | None]
# Fewest blocks that say anything; fewest that are measured, however large the samples are; most that are measured.
FEWEST_BLOCKS, FEWEST_MEASURED, MOST_BLOCKS = 4, 12, 60
MOST_OF_BLOCK = 4  # windows of a block that are measured: neighbours share most of their values
# Most values in all samples together that are looked at, about two seconds of work.
MOST_VALUES = 20_000_000
_YEAR = pd.Timedelta(days=365.25)


def drift_limit(window: DataWindow, formula: Formula, alarms_a_year: float) -> float | None:
    """Return the value that a drift metric exceeds so often a year (about) where nothing drifts; None if the past is too short.

    `window` is the oldest one that is judged: the past ends before its first period.
    """
    return usual_limit(past_blocks(window, formula), block_share(alarms_a_year, window.length, window.table.index))


def block_share(alarms_a_year: float, length: int, times: pd.Index) -> float:
    """Return the probability of an alarm in one block of `length` periods that makes so many alarms a year."""
    return min(alarms_a_year * length / _periods_a_year(times), 1.0)


def usual_limit(blocks: Sequence[float], share: float, *, around_zero: bool = False) -> float | None:
    """Return the limit that the next block exceeds with at most this probability, from the largest values of past blocks.

    Of n past blocks and the next one, each is as likely as any other to be among the k largest. So the k-th largest of the past is
    exceeded with probability k / (n + 1) (conformal prediction; Vovk, Gammerman and Shafer 2005, ch. 2). If the past is too short
    for the probability, the limit is that of a normal distribution of the square roots (Hahn and Meeker 1991, sec. 4.2; an index of
    stability grows with the square of a shift), and no less than the largest value. Where the values are sizes of what is
    `around_zero` if all is well (a bias), it is that of a normal distribution around zero: its spread is known better. None below
    FEWEST_BLOCKS.
    """
    if len(blocks) < FEWEST_BLOCKS:
        return None
    highest_first = sorted(blocks, reverse=True)
    exceeded = int((len(blocks) + 1) * share)
    if exceeded:
        return highest_first[min(exceeded, len(blocks)) - 1]
    from scipy.stats import t

    if around_zero:
        spread = math.sqrt(float(np.mean(np.square(blocks))) * (1 + 1 / len(blocks)))
        return max(highest_first[0], float(t.ppf(1 - share / 2, len(blocks))) * spread)
    roots = np.sqrt(np.maximum(blocks, 0.0))
    width = float(t.ppf(1 - share, len(roots) - 1)) * float(roots.std(ddof=1)) * math.sqrt(1 + 1 / len(roots))
    return max(highest_first[0], (float(roots.mean()) + width) ** 2)


def past_blocks(window: DataWindow, formula: Formula) -> list[float]:
    """Return the largest value of each block of windows that end before `window` begins, the newest block first.

    Where the samples are large, fewer windows of a block are measured, and fewer blocks; both are spread evenly or begin at the
    newest, so that the answer does not depend on chance.
    """
    expected, actual = window.samples()
    size = max(len(expected) + len(actual), 1)
    blocks = min((len(window.table) - window.back) // window.length - 1, MOST_BLOCKS)
    each = min(max(MOST_VALUES // (size * max(blocks, 1)), 1), window.length, MOST_OF_BLOCK)
    blocks = min(blocks, max(MOST_VALUES // (size * each), FEWEST_MEASURED))
    offsets = [window.length * number // each for number in range(each)]
    largest = []
    for block in range(1, blocks + 1):
        values = [formula(window.earlier(block * window.length + offset)) for offset in offsets]
        known = [value for value in values if value is not None]
        if known:
            largest.append(max(known))
    return largest


def _periods_a_year(times: pd.Index) -> float:
    """Return how many periods a year has, by the first and the last of them."""
    return float(_YEAR / ((times[-1] - times[0]) / max(len(times) - 1, 1))) if len(times) > 1 else 1.0
