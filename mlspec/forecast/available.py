"""Periods in which a series was not for sale, by a column of the data: their demand is unknown, not low.

The column holds 1 or 0, true or false, or the share of the period in which there was something to sell; where rows are
aggregated, a period's share is the mean of its rows. Below half of a period the value says more of the stock than of demand: the
period is then unobserved, as a gap is: filled for training, never scored, and no zero. An empty cell says that the series was for
sale.

It differs from a gap in one thing: it is known that no value will come. So it is none of the contract's missing periods, a series
has not ended in it, and a period's actual values are complete without it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.frame import AVAILABLE, ID, TARGET
from mlspec.forecast.load import TypedRows
from mlspec.forecast.row_notes import COUNT, RowNote

LEAST_SHARE = 0.5
_RANK = 9  # after the sentences on rows that are left out
_NOT_FOR_SALE = (
    "values of periods that were not for sale are neither learned from nor scored, as the demand is unknown "
    f"({COUNT}; dataset.available)"
)
_PARTLY = f"periods that were for sale in part, for half of the time or longer, keep their values ({COUNT})"


def unavailable(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return for each row whether the series was not for sale; for none, if the data does not say it."""
    if AVAILABLE not in rows:
        return np.zeros(len(rows), dtype=bool)
    return (rows[AVAILABLE] < LEAST_SHARE).to_numpy(dtype=bool)


def hide_unavailable(rows: TypedRows) -> tuple[TypedRows, tuple[RowNote, ...]]:
    """Return the rows without the values of periods in which a series was not for sale, and sentences on them."""
    hidden = unavailable(rows.frame)
    if not hidden.any():
        return rows, _partly(rows.frame, hidden)
    frame = rows.frame.assign(**{TARGET: rows.frame[TARGET].mask(hidden)})
    counts = frame.loc[hidden, ID].value_counts()
    by_series = {str(name): int(count) for name, count in counts[counts > 0].items()}
    return replace(rows, frame=frame), (
        RowNote(_NOT_FOR_SALE, int(hidden.sum()), _RANK, by_series),
        *_partly(frame, hidden),
    )


def _partly(frame: pd.DataFrame, hidden: npt.NDArray[np.bool_]) -> tuple[RowNote, ...]:
    if AVAILABLE not in frame:
        return ()
    count = int((frame[AVAILABLE].lt(1).to_numpy(dtype=bool) & ~hidden).sum())
    return (RowNote(_PARTLY, count, _RANK),) if count else ()
