"""The series that trees learn from, where the rows of all are more than they need, or than memory holds.

The sample stays the same as rows come in: the names of the series decide which are in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import pandas as pd

from mlspec.memory import format_size
from mlspec.spec.candidates import FEWEST_SERIES, GradientBoosting

# Bytes of memory that LightGBM takes for a row beside those of its features, as measured: target, scores, gradients, places.
ROW_BYTES = 64
# Bytes for one feature of a row: its bin, in a matrix by column and in one by row.
FEATURE_BYTES = 2


@dataclass(frozen=True)
class TrainingSample:
    """The series that trees learn from, and a sentence about them; no sentence if they are all."""

    series: pd.Index
    note: str = ""


def draw_sample(candidate: GradientBoosting, lengths: pd.Series, columns: int, memory: int | None) -> TrainingSample:
    """Return the series of `lengths` (rows by unique_id) to learn from: all, if `memory` bytes hold them and none are too many.

    A series in a sample stays there if the sample grows.
    """
    most_rows = None if memory is None else memory // row_bytes(columns)
    enough = candidate.enough_rows
    whole = int(lengths.sum())
    if (most_rows is None or whole <= most_rows) and (enough is None or whole <= enough):
        return TrainingSample(lengths.index)
    order = sorted(lengths.index, key=lambda name: blake2b(str(name).encode(), digest_size=8).digest())
    rows = lengths.loc[order].cumsum()
    held = len(order) if most_rows is None else max(int((rows <= most_rows).sum()), 1)
    needed = len(order) if enough is None else max(int((rows <= enough).sum()), FEWEST_SERIES)
    if min(held, needed) >= len(order):
        return TrainingSample(lengths.index)
    series = pd.Index(order[: min(held, needed)]).sort_values()
    reason = (
        f"these are enough for trees with {candidate.leaves:,} leaves in all (`learn_from: all` takes as many as memory holds)"
        if needed <= held
        else f"the rows of more do not fit into the {format_size(memory or 0)} that trees may take, half of a step's memory"
    )
    return TrainingSample(
        series,
        f"{candidate.label} learns from {len(series):,} of {len(lengths):,} series ({int(lengths[series].sum()):,} of "
        f"{whole:,} rows): {reason}",
    )


def row_bytes(columns: int) -> int:
    """Return how much memory a row of so many features takes while trees are fitted."""
    return ROW_BYTES + FEATURE_BYTES * columns
