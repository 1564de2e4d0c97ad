"""Proposes, for `mlspec init`, what becomes of values that say little of demand: those without stock, and outliers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from mlspec.forecast.available import LEAST_SHARE
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Layout, Panel
from mlspec.forecast.frequency import Frequency, period_grid
from mlspec.forecast.load import join_ids
from mlspec.forecast.outliers import describe_outliers, find_outliers
from mlspec.forecast.proposals import RowProposal
from mlspec.forecast.reading.texts import parse_share
from mlspec.forecast.sample import Sample

# Names in English and in Portuguese.
_AVAILABLE = re.compile(
    r"^(is[ _-]?)?(in[ _-]?stock|available|for[ _-]?sale)$|^(em|com|tem)[ _-]?estoque$|^dispon[ií]vel$", re.IGNORECASE
)
_OUT_OF_STOCK = re.compile(
    r"^(is[ _-]?)?(out[ _-]?of[ _-]?stock|stock[ _-]?outs?|oos)$"
    r"|^sem[ _-]?estoque$|^(em[ _-]?)?ruptura$|^esgotado$|^indispon[ií]vel$",
    re.IGNORECASE,
)
OPPOSITE: Final = (
    "says when nothing was in stock; dataset.available needs the opposite: add a column that is 1 where there was stock"
)
# An outlier so many times as large as every other value of its series is no demand: a decimal mark that slipped two places is 100.
_PLAINLY_WRONG = 20.0
# Most periods of the table in which outliers are searched: some seconds of work.
_MOST_PERIODS = 3_000_000


@dataclass(frozen=True)
class StockColumn:
    """The column that says when a series was for sale, in which rows it was not, and the proposal."""

    name: str
    is_out: pd.Series
    proposal: RowProposal


def find_stock_column(sample: Sample, rows: pd.Index, names: Sequence[str], target: pd.Series) -> StockColumn | None:
    """Return the first of the columns whose name and values say when a series was for sale; None if none does.

    `rows` are those of the history, and `target` their values. Where a series sold as much without stock as with it, the column
    means something else, such as the stock of the evening.
    """
    for name in names:
        share = _shares(sample, name, rows) if _AVAILABLE.search(name) else None
        if share is None:
            continue
        out = share < LEAST_SHARE
        without, beside = float(target[out].mean()), float(target[~out].mean())
        if 0 < out.sum() < len(share) and without < beside / 2:
            reason = (
                f"{int(out.sum()):,} of {len(share):,} rows were not for sale: they have {without:.4g} in the mean, and the "
                f"others {beside:.4g}. Their demand is unknown, not low: they are neither learned from nor scored"
            )
            return StockColumn(name, out, RowProposal("available", name, reason))
    return None


def opposite_columns(sample: Sample, rows: pd.Index, names: Sequence[str]) -> Mapping[str, str]:
    """Return the columns that say when nothing was in stock, each with why it cannot be `dataset.available`."""
    return {name: OPPOSITE for name in names if _OUT_OF_STOCK.search(name) and _shares(sample, name, rows) is not None}


def _shares(sample: Sample, name: str, rows: pd.Index) -> pd.Series | None:
    """Return the shares or flags of a column; None if a cell is none."""
    parsed = parse_share(sample.table.columns[name], sample.dialect)
    return None if len(parsed.problems) else parsed.values[rows]


def propose_outliers(
    history: pd.DataFrame, names: Mapping[int, str], frequency: Frequency, horizon: int
) -> list[RowProposal]:
    """Return what becomes of values far outside of what their series usually has; nothing where there is none.

    `history` has unique_id, ds and y, and `names` the series by their unique_id. Models learn from outliers unless the evidence is
    plain: each is so many times as large as every other value of its series.
    """
    grid = period_grid(history[TIME], frequency)
    if len(grid) * len(names) > _MOST_PERIODS:
        return []
    panel = _as_panel(history, grid, frequency, horizon)
    found = find_outliers(panel)
    if found.empty:
        return []
    handling = "replace" if _is_plain(panel, found) else "keep"
    (reason,) = describe_outliers(found.assign(**{ID: found[ID].map(names)}), frequency, handling)
    if handling == "replace":
        reason += f". Each is {_PLAINLY_WRONG:g} times as large as every other value of its series, or larger"
    return [RowProposal("outliers", handling, reason)]


def name_series(sample: Sample, keys: pd.DataFrame) -> dict[int, str]:
    """Return the names of series by their number in a history (`as_history`); `keys` are codes of the columns that name them."""
    first = keys[~keys.duplicated()].index if keys.shape[1] else keys.index[:1]
    texts = [pd.Series(sample.table.cell_texts(name, first.to_numpy()), dtype=object) for name in keys]
    return dict(enumerate(join_ids(texts, pd.RangeIndex(len(first)))))


def _as_panel(history: pd.DataFrame, grid: pd.DatetimeIndex, frequency: Frequency, horizon: int) -> Panel:
    """Return the history with a row for each series and period."""
    table = history.pivot(index=TIME, columns=ID, values=TARGET).reindex(grid).sort_index(axis=1)
    frame = pd.DataFrame({
        ID: table.columns.repeat(len(grid)), TIME: np.tile(grid.to_numpy(), table.shape[1]), TARGET: table.to_numpy().T.ravel(),
    })  # fmt: skip
    frame[OBSERVED] = frame[TARGET].notna()
    series = pd.DataFrame({ID: table.columns})
    return Panel(frame, series, frame[[ID, TIME]][:0], Layout(frequency, horizon, frequency.season))


def _is_plain(panel: Panel, found: pd.DataFrame) -> bool:
    keys = pd.MultiIndex.from_frame(panel.frame[[ID, TIME]])
    others = panel.frame[~keys.isin(pd.MultiIndex.from_frame(found[[ID, TIME]]))]
    largest = others[TARGET].abs().groupby(others[ID]).max()
    return bool((found[TARGET].abs() >= _PLAINLY_WRONG * found[ID].map(largest)).all())
