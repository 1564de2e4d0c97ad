"""Finds the rows of an unknown table that are sums of others, for `mlspec init`: they belong to no series."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pandas as pd

from mlspec.forecast.reading.column import BadRow, as_text
from mlspec.forecast.reading.odd_cells import explain_total
from mlspec.forecast.sample import Sample
from mlspec.forecast.series_keys import KEY_NAMES

TotalRows: TypeAlias = tuple[tuple[int, str], ...]  # the place of each row, and the column with its label


def find_total_rows(sample: Sample, time: str, dates: pd.Series) -> TotalRows:
    """Return the rows that a cell labels as a total, and that have no date or lack a name that all other rows have.

    A label alone is not enough: a shop may be named Total. Columns of numbers count as names where they are named as codes.
    """
    names = [name for name in sample.codes if name != time and (name not in sample.numbers or KEY_NAMES.search(name))]
    labels = pd.Series(None, index=sample.codes.index, dtype=object)
    for name in reversed(names):  # the first column with a label counts
        texts = as_text(sample.table.columns[name])
        is_label = np.array([explain_total(text) is not None for text in texts.texts.to_pylist()], dtype=bool)
        labels[is_label[texts.codes]] = name
    is_labelled = labels.notna()
    if not is_labelled.any():
        return ()
    incomplete = dates.isna()
    for name in names:
        empty = sample.empty_rows(name)
        if not (empty & ~is_labelled).any():
            incomplete |= empty
    return tuple((int(row), str(name)) for row, name in labels[is_labelled & incomplete].items())


def name_total(sample: Sample, row: int, name: str) -> BadRow:
    """Return the cell that labels a row as a total, with what to do."""
    place = np.array([row])
    text, origin = sample.table.cell_texts(name, place)[0], sample.table.origin.iloc[row]
    return BadRow(str(origin["file"]), int(origin["row"]), name, text, explain_total(text) or "")
