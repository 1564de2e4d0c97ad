"""What stands in a period without a value: the newest value whole seasons before it, or else the last value."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.regular import _fill_gaps

GAPPY = st.lists(
    st.lists(st.one_of(st.none(), st.integers(0, 9).map(float)), min_size=1, max_size=20), min_size=1, max_size=4
)


def expected(values: list[float | None], season: int) -> list[float | None]:
    """The same by its definition, one value after the other."""
    seasonal: list[float | None] = []
    for place, value in enumerate(values):
        before = seasonal[place - season] if place >= season else None
        seasonal.append(before if value is None else value)
    return [
        next((each for each in reversed(seasonal[: place + 1]) if each is not None), None)
        for place in range(len(values))
    ]


@given(GAPPY, st.integers(1, 8))
def test_a_gap_has_the_value_of_a_season_before_or_else_the_last_one(
    history: list[list[float | None]], season: int
) -> None:
    numbers = np.arange(len(history)).repeat([len(values) for values in history])
    filled = _fill_gaps(pd.Series([value for values in history for value in values], dtype="float64"), numbers, season)
    wanted = [value for values in history for value in expected(values, season)]
    pd.testing.assert_series_equal(filled, pd.Series(wanted, dtype="float64"))
