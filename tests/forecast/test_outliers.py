"""Outliers and stock-outs: what is far outside of a series is found, what can be explained is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.forecast.frame import Layout, Panel
from mlspec.forecast.frequency import parse_frequency
from mlspec.forecast.outliers import find_outliers
from mlspec.forecast.regular import hide_values
from mlspec.forecast.stockouts import find_stockouts

DAYS = 140
WEEK = np.tile([50.0, 55, 60, 65, 80, 120, 90], DAYS // 7)


def noisy(seed: int) -> np.ndarray:
    return WEEK + np.random.default_rng(seed).normal(0, 4, DAYS).round(2)


def panel_of(series: Mapping[str, Sequence[float]], promo: Sequence[float] | None = None, season: int = 7) -> Panel:
    parts = [
        pd.DataFrame(
            {
                "unique_id": name, "ds": pd.date_range("2024-01-01", periods=len(values)), "y": values, "observed": True,
                **({} if promo is None else {"x_promo": promo}),
            }
        )
        for name, values in sorted(series.items())
    ]  # fmt: skip
    frame = pd.concat(parts, ignore_index=True)
    known = () if promo is None else ("x_promo",)
    layout = Layout(parse_frequency("D"), 7, season, known)
    return Panel(frame, frame[["unique_id"]].drop_duplicates(), frame[["unique_id", "ds"]][:0], layout)


def changed(values: np.ndarray, at: Mapping[int, float]) -> np.ndarray:
    out = values.copy()
    for place, value in at.items():
        out[place] = value
    return out


def places(panel: Panel) -> list[tuple[str, int]]:
    found = find_outliers(panel)
    start = pd.Timestamp("2024-01-01")
    return [(name, (time - start).days) for name, time in found[["unique_id", "ds"]].itertuples(index=False)]


def test_a_bulk_order_is_found_with_what_would_be_usual() -> None:
    panel = panel_of({"a": changed(noisy(1), {70: 900.0}), "b": noisy(2)})
    assert places(panel) == [("a", 70)]
    assert find_outliers(panel)["usual"].iloc[0] == pytest.approx(50, abs=20)


@given(seed=st.integers(0, 10_000), scale=st.sampled_from([0.01, 1.0, 1e6]))
@settings(max_examples=20, deadline=None)
def test_a_series_with_ordinary_noise_has_none_at_any_scale(seed: int, scale: float) -> None:
    assert places(panel_of({"a": scale * noisy(seed)})) == []


@pytest.mark.parametrize(
    ("why", "series", "promo"),
    [
        ("a known covariate", {"a": changed(noisy(1), {70: 900.0})}, np.eye(DAYS)[70]),
        ("an event of many series", {name: changed(noisy(i), {70: 900.0}) for i, name in enumerate("abcd")}, None),
        ("a change of level", {"a": noisy(1) + 400 * (np.arange(DAYS) > 100)}, None),
        ("what happens often", {"a": noisy(1) + 900 * (np.arange(DAYS) % 30 == 11)}, None),
        ("the newest periods, of which nobody knows what follows", {"a": changed(noisy(1), {DAYS - 1: 900.0})}, None),
        ("a Saturday", {"a": noisy(1) + 500 * (np.arange(DAYS) % 7 == 5)}, None),
        ("a short history", {"a": changed(noisy(1)[:20], {10: 900.0})}, None),
        ("intermittent demand", {"a": 9.0 * (np.arange(DAYS) % 20 == 3)}, None),
    ],
)
def test_what_can_be_explained_is_none(why: str, series: dict[str, np.ndarray], promo: Sequence[float] | None) -> None:
    assert places(panel_of(series, promo)) == [], why


def test_a_replaced_value_is_filled_as_a_gap_is_and_no_longer_observed() -> None:
    panel = panel_of({"a": changed(noisy(1), {70: 900.0}), "b": noisy(2)})
    frame = hide_values(panel, find_outliers(panel)).frame
    row = frame[(frame["unique_id"] == "a")].iloc[70]
    assert (row["observed"], row["y"]) == (False, noisy(1)[63])
    kept = frame[frame["unique_id"] == "b"]
    assert kept["observed"].all()
    np.testing.assert_array_equal(kept["y"], noisy(2))


def test_a_long_run_of_zeros_of_a_steady_seller_looks_like_a_stock_out() -> None:
    empty = changed(noisy(1), dict.fromkeys(range(60, 66), 0.0))
    found = find_stockouts(panel_of({"a": empty, "b": noisy(2)}))
    assert found[["unique_id", "length"]].to_numpy().tolist() == [["a", 6]]
    assert (found["last"] - found["first"]).iloc[0].days == 5


@pytest.mark.parametrize(
    ("why", "series"),
    [
        ("closed days", {name: changed(noisy(i), dict.fromkeys(range(60, 66), 0.0)) for i, name in enumerate("abcd")}),
        ("a slow seller", {"a": 3.0 * (np.arange(DAYS) % 5 == 0)}),
        ("one that pauses", {"a": changed(noisy(1), dict.fromkeys([*range(30, 34), *range(60, 66)], 0.0))}),
        ("one that has ended", {"a": changed(noisy(1), dict.fromkeys(range(100, DAYS), 0.0))}),
        ("one that has not begun", {"a": changed(noisy(1), dict.fromkeys(range(20), 0.0))}),
    ],
)
def test_other_zeros_do_not(why: str, series: dict[str, np.ndarray]) -> None:
    assert find_stockouts(panel_of(series)).empty, why
