"""What is done once for many series says the same as what is done for each: a plan's rows by series, and the names of series."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal

from mlspec.forecast.frame import ID, TIME
from mlspec.forecast.load import KEY, TypedRows, join_ids, number_series
from mlspec.forecast.reading.column import texts_as_column
from mlspec.forecast.regular import PlanBySeries

NAMES = st.text(alphabet="a/\\é ", max_size=3)
SERIES = st.sampled_from(["a", "b", "c", "d"])


@given(st.lists(SERIES, max_size=12), st.sets(SERIES))
def test_a_part_takes_the_rows_of_its_own_series_in_their_order(planned: list[str], own: set[str]) -> None:
    columns = {ID: planned, KEY + "shop": planned, TIME: range(len(planned)), "x_promo": range(len(planned))}
    plan = TypedRows(pd.DataFrame(columns).astype({ID: object}), pd.DataFrame(), len(planned), {})
    selected = PlanBySeries(plan).select(pd.Index(sorted(own), dtype=object))
    assert selected is not None
    expected = plan.frame[plan.frame[ID].isin(own)].sort_values(ID, kind="stable", ignore_index=True)
    assert_frame_equal(selected.frame, expected)


def test_a_plan_without_series_is_that_of_all_parts() -> None:
    plan = TypedRows(pd.DataFrame({ID: ["all"], TIME: [1], "x_promo": [1.0]}), pd.DataFrame(), 1, {})
    assert PlanBySeries(plan).select(pd.Index(["a"])) is plan
    assert PlanBySeries(None).select(pd.Index(["a"])) is None


@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=8))
def test_a_series_has_the_name_of_its_rows_values_joined(rows: list[tuple[str, str]]) -> None:
    columns = [pd.Series(values, dtype=object) for values in zip(*rows, strict=True)]
    for some in (columns, columns[:1]):
        codes, ids = number_series([texts_as_column(column) for column in some], len(rows))
        assert_series_equal(ids.take(codes).reset_index(drop=True), join_ids(some, some[0].index), check_names=False)
