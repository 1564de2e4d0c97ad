"""Sums of series: their interval holds the mean, which is the sum of the series' means and gives way to nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.forecast.frame import Layout, Panel
from mlspec.forecast.frequency import parse_frequency
from mlspec.forecast.levels import SumRules, forecast_sums, level_nodes, score_level, sum_panels
from mlspec.spec.hierarchy import Level

SERIES, RULES = ["a", "b"], SumRules((0.1, 0.5, 0.9), 1.0)
TOTAL = level_nodes(Level("total", ()), pd.DataFrame(index=SERIES))
QUANTILES = ["q0.1", "q0.5", "q0.9"]
PERIODS = 12


def panel() -> Panel:
    frame = pd.DataFrame({
        "unique_id": np.repeat(SERIES, PERIODS), "ds": np.tile(pd.date_range("2024-01-01", periods=PERIODS), 2),
        "y": np.tile([98.0, 103.0, 99.0], 2 * PERIODS // 3), "observed": True,
    })  # fmt: skip
    return Panel(frame, frame[["unique_id"]].drop_duplicates(), frame[:0], Layout(parse_frequency("D"), 2, 7))


def total() -> Panel:
    return sum_panels(panel(), [TOTAL], RULES.coverage)[0]


def past(missed: float, noise: float, seed: int, windows: int) -> pd.DataFrame:
    """The rows of a backtest in which each sum was missed by about as much, to the same side in all windows."""
    errors = missed + noise * np.random.default_rng(seed).uniform(-1, 1, (windows, 2, 2))
    keys = [pd.date_range("2024-01-08", periods=windows), SERIES, [1, 2]]
    rows = pd.MultiIndex.from_product(keys, names=["cutoff", "unique_id", "h"]).to_frame(index=False)
    return rows.assign(mean=100.0, y=100.0 + errors.ravel(), scale=3.0, floor=0.0)


def ahead(series_width: float = 5.0) -> pd.DataFrame:
    rows = pd.MultiIndex.from_product([SERIES, [1, 2]], names=["unique_id", "h"]).to_frame(index=False)
    return rows.assign(**{"mean": 100.0, "q0.1": 100 - series_width, "q0.5": 100.0, "q0.9": 100 + series_width})


@settings(max_examples=15)
@given(st.floats(-30, 30), st.floats(0, 10), st.integers(0, 5), st.integers(2, 5))
def test_the_interval_of_a_sum_holds_its_mean_and_the_mean_is_that_of_its_series(
    missed: float, noise: float, seed: int, windows: int
) -> None:
    sums = forecast_sums(ahead(), past(missed, noise, seed, windows), total(), TOTAL, RULES)
    assert sums["mean"].tolist() == [200.0, 200.0]
    assert (sums["q0.1"] <= sums["mean"]).all()
    assert (sums["mean"] <= sums["q0.9"]).all()
    assert (sums["q0.1"] <= sums["q0.5"]).all()
    assert (sums["q0.5"] <= sums["q0.9"]).all()


@pytest.mark.parametrize("missed", [-20.0, 20.0])
def test_only_the_side_on_which_the_mean_lies_is_widened(missed: float) -> None:
    """Each of two series was missed by 20, give or take 2: sums lie about 40 off, and not around the mean of 200."""
    sums = forecast_sums(ahead(), past(missed, 2.0, 1, 3), total(), TOTAL, RULES)
    near, far = ("q0.1", "q0.9") if missed > 0 else ("q0.9", "q0.1")
    assert sums[near].tolist() == [200.0, 200.0]
    for name in ("q0.5", far):
        assert ((sums[name] - 200) / missed).between(1, 3).all()


def test_a_period_of_a_sum_is_known_where_enough_of_its_series_are() -> None:
    known = panel()
    unsold = known.frame.assign(observed=known.frame["unique_id"].eq("a") | (known.frame.index % PERIODS != 3))
    for coverage, expected in ((1.0, [3]), (0.5, [])):
        (sums,) = (found.frame for found in sum_panels(replace(known, frame=unsold), [TOTAL], coverage))
        assert sums["y"].tolist() == [2 * value for value in known.frame["y"][:PERIODS]]
        assert sums.index[~sums["observed"]].tolist() == expected


def test_the_backtest_scores_the_widened_interval() -> None:
    """All actual values lie between the mean and the far end, so the interval holds nearly all."""
    scores = score_level(past(20.0, 2.0, 1, 3), total(), TOTAL, RULES)["metrics"]
    assert scores["coverage"] >= 0.5
    assert scores["wape"] == pytest.approx(40 / 240, rel=0.05)
