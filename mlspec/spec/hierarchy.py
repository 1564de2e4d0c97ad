"""The `hierarchy` of a forecast's dataset: of which columns its levels are, and how their forecasts are made to agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from pydantic import Field

from mlspec.spec.fields import Column, Many
from mlspec.spec.part import Part

# Names of levels that need no column: the sum of all series, and the series themselves.
TOTAL, SERIES = "total", "series"
BOTTOM_UP: Final = "bottom-up"
Reconciliation = Literal["bottom-up", "ols", "wls-struct", "wls-var", "mint-shrink"]


class Level(NamedTuple):
    """One level of a hierarchy: its name, which is that of its last column, and the columns whose values name its sums."""

    name: str
    columns: tuple[str, ...]


class Hierarchy(Part):
    """Sums of series that are forecast too. A list of columns alone is the same as `levels`."""

    levels: Many[Column] = Field(
        default=(), max_length=10, examples=[["region", "store"]],
        description="Series columns or static columns, the widest first: a level is named by its column, and its sums by that "
        "column and those before it. The total of all series is a level, too.",
    )  # fmt: skip
    reconcile: Reconciliation = Field(
        default=BOTTOM_UP, examples=["mint-shrink"],
        description="bottom-up: the series are forecast, and summed. Else each level is forecast by itself, and the series are "
        "corrected so that all agree: ols, wls-struct (by the number of series), wls-var and mint-shrink (by the errors of the "
        "backtest). Needs mlspec's extra `hierarchy`.",
    )  # fmt: skip


def aggregate_levels(columns: Sequence[str], series: Sequence[str]) -> tuple[Level, ...]:
    """Return the levels above the series, the widest first. A level whose columns name each series is none: it is the series."""
    named = (Level(columns[count - 1] if count else TOTAL, tuple(columns[:count])) for count in range(len(columns) + 1))
    return tuple(level for level in named if not set(series) <= set(level.columns))
