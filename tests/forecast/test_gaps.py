"""What stands in a period without a value: that of whole seasons before it, or else the last value, of comparable periods."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.regular import _fill_gaps, number_conditions

Values = list[float | None]
GAPPY = st.lists(
    st.lists(
        st.tuples(st.one_of(st.none(), st.integers(0, 9).map(float)), st.sampled_from([0, 0, 1])), min_size=1, max_size=20
    ),
    min_size=1, max_size=4,
)  # fmt: skip


def filled(history: list[Values], season: int, kinds: list[list[int]]) -> Values:
    """The values of several series, one after the other, without gaps where something is known."""
    numbers = np.arange(len(history)).repeat([len(values) for values in history])
    values = pd.Series([value for values in history for value in values], dtype="float64")
    of_rows = np.array([kind for own in kinds for kind in own], dtype="int64")
    return [None if np.isnan(value) else value for value in _fill_gaps(values, numbers, season, of_rows)]


def expected(values: Values, season: int, kinds: list[int]) -> Values:
    """The same by its definition, one value after the other."""
    for step, alike in ((season, True), (1, True), (season, False), (1, False)):
        known: Values = []
        for place, value in enumerate(values):
            before = [
                known[at]
                for at in range(place - step, -1, -step)
                if known[at] is not None and (kinds[at] == kinds[place] or not alike)
            ]
            known.append(value if value is not None else next(iter(before), None))
        values = known
    return values


@given(GAPPY, st.integers(1, 8))
def test_a_gap_has_the_value_of_a_season_before_or_else_the_last_one_of_comparable_periods(
    history: list[list[tuple[float | None, int]]], season: int
) -> None:
    values = [[value for value, _ in own] for own in history]
    kinds = [[kind for _, kind in own] for own in history]
    wanted = [value for own, of_rows in zip(values, kinds, strict=True) for value in expected(own, season, of_rows)]
    assert filled(values, season, kinds) == wanted


@pytest.mark.parametrize(
    ("why", "values", "promo", "wanted"),
    [
        ("the week before was a promotion: two weeks before", [5, 6, 50, 60, None, None], [0, 0, 1, 1, 0, 0], [5, 6]),
        (
            "no such phase without it: the last value without it",
            [5, None, 50, 60, None, None],
            [0, 1, 1, 1, 0, 0],
            [5, 5],
        ),
        ("a gap in a promotion has the value of one", [50, 60, 5, 6, None, None], [1, 1, 0, 0, 1, 1], [50, 60]),
        ("never without it before: as without covariates", [50, 60, 55, 65, None, None], [1, 1, 1, 1, 0, 0], [55, 65]),
        ("nothing differs: the season before", [5, 6, 7, 8, None, None], [0, 0, 0, 0, 0, 0], [7, 8]),
    ],
)
def test_a_stock_out_after_a_promotion_is_not_filled_with_it(
    why: str, values: Values, promo: list[int], wanted: Values
) -> None:
    assert filled([values], 2, [promo])[-2:] == wanted, why


@pytest.mark.parametrize(
    ("covariate", "kinds"),
    [
        ([0.0, 1.0, 0.29, 0.0], [0, 1, 1, 0]),  # a promotion on two days of a week is one
        ([0.0, float("nan"), 2.0, 0.0], [0, 0, 1, 0]),  # what nobody says did not take place
        ([17.9, 15.0, 21.5, 3.0], [0, 0, 0, 0]),  # prices: each is there
        (["none", "leaflet", "none", "tv"], [0, 1, 0, 2]),
        ([None, "leaflet", None, "tv"], [0, 1, 0, 2]),
    ],
)
def test_periods_are_comparable_where_the_same_covariates_take_place(covariate: list[object], kinds: list[int]) -> None:
    assert number_conditions(pd.DataFrame({"promo": covariate})).tolist() == kinds
    both = pd.DataFrame({"promo": covariate, "holiday": [0, 0, 0, 1]})
    assert number_conditions(both).tolist()[-1] not in number_conditions(both).tolist()[:-1]
    assert number_conditions(pd.DataFrame(index=range(4))).tolist() == [0, 0, 0, 0]
