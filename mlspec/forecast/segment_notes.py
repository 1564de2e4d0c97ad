"""Sentences on the columns by which series are grouped: a static column without a value, and a level that repeats another one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pandas as pd

from mlspec.forecast.frame import ID, PREFIX, describe_series
from mlspec.forecast.load import KEY, TypedRows
from mlspec.forecast.regular import series_names
from mlspec.spec.dataset import Dataset


def list_segments(rows: TypedRows, dataset: Dataset) -> pd.DataFrame:
    """Return unique_id, the series columns and the first static values of each series of these rows."""
    static = [PREFIX + name for name in dataset.covariates.static]
    return series_names(rows).merge(rows.frame.groupby(ID)[static].first().reset_index(), on=ID)


def segment_notes(series: pd.DataFrame, dataset: Dataset) -> tuple[str, ...]:
    """Return the sentences. `series` has unique_id, the series columns and the static columns of the series to forecast."""
    return (*_empty_values(series, dataset), *_repeated_levels(series, dataset))


def _empty_values(series: pd.DataFrame, dataset: Dataset) -> Iterator[str]:
    for name in dataset.covariates.static:
        without = series.loc[series[PREFIX + name].isna(), ID]
        if len(without):
            has = "has" if len(without) == 1 else "have"
            shown = describe_series(list(map(str, without)))
            yield f"{len(without):,} series {has} no value in the static column {name}: {shown}"


def _repeated_levels(series: pd.DataFrame, dataset: Dataset) -> Iterator[str]:
    """Yield a sentence for each level whose sums are those of the level before it: most often the order is not the widest first."""
    for before, level in pairwise(dataset.levels):
        if before.columns and _count_sums(series, before.columns) == _count_sums(series, level.columns):
            yield (
                f"the level {level.name} has the same sums as the level {before.name} before it: write the widest level first in "
                "dataset.hierarchy, or leave one out"
            )


def _count_sums(series: pd.DataFrame, columns: tuple[str, ...]) -> int:
    return len(series[[KEY + name if KEY + name in series else PREFIX + name for name in columns]].drop_duplicates())
