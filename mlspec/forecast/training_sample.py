"""The series that trees learn from, where memory does not hold the rows of all: a sample that stays the same as rows come in."""

from __future__ import annotations

from hashlib import blake2b

import pandas as pd

from mlspec.memory import format_size

# Bytes of memory that LightGBM takes for a row beside those of its features, as measured: target, scores, gradients, places.
ROW_BYTES = 64
# Bytes for one feature of a row: its bin, in a matrix by column and in one by row.
FEATURE_BYTES = 2


def sample_series(lengths: pd.Series, columns: int, memory: int | None) -> pd.Index:
    """Return the series of `lengths` (rows by unique_id) to learn from: all, or as many as `memory` bytes hold.

    Which ones, their names decide: a series in a sample stays there if the sample grows.
    """
    most_rows = None if memory is None else memory // row_bytes(columns)
    if most_rows is None or lengths.sum() <= most_rows:
        return lengths.index
    order = sorted(lengths.index, key=lambda name: blake2b(str(name).encode(), digest_size=8).digest())
    taken = lengths.loc[order].cumsum() <= most_rows
    return pd.Index(order[: max(int(taken.sum()), 1)]).sort_values()


def row_bytes(columns: int) -> int:
    """Return how much memory a row of so many features takes while trees are fitted."""
    return ROW_BYTES + FEATURE_BYTES * columns


def describe_sample(label: str, learned: pd.Index, lengths: pd.Series, memory: int | None) -> str:
    """Return a sentence on a sample; empty if the trees learn from all series."""
    if len(learned) == len(lengths) or memory is None:
        return ""
    rows = int(lengths[learned].sum())
    return (
        f"{label} learns from {len(learned):,} of {len(lengths):,} series ({rows:,} of {int(lengths.sum()):,} rows): the rows "
        f"of more do not fit into the {format_size(memory)} that trees may take, half of a step's memory"
    )
