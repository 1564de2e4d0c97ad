"""Intervals are as wide as a series and a step are hard to forecast, and a mean that is always off to one side is corrected."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.frame import CUTOFF, ID, MEAN, STEP, TARGET
from mlspec.forecast.quantiles import RAW, add_quantiles, calibrate_windows
from mlspec.forecast.scales import FLOOR, SCALE

QUANTILES = (0.1, 0.5, 0.9)


def past(
    errors: dict[str, float], *, windows: int = 6, steps: int = 4, bias: float = 0.0, growth: float = 0.0
) -> pd.DataFrame:
    """Rows of a backtest: each series' errors are of the given size, and grow by `growth` at each step."""
    chance = np.random.default_rng(7)
    rows = [
        (name, cutoff, step, 100.0 + bias + size * (1 + growth * (step - 1)) * chance.normal(), 100.0, 1.0, -np.inf)
        for name, size in errors.items()
        for cutoff in range(windows)
        for step in range(1, steps + 1)
    ]
    return pd.DataFrame(rows, columns=[ID, CUTOFF, STEP, TARGET, MEAN, SCALE, FLOOR])


def ahead(series: list[str], steps: int = 4, floor: float = -np.inf) -> pd.DataFrame:
    rows = [(name, step, 100.0, 1.0, floor) for name in series for step in range(1, steps + 1)]
    return pd.DataFrame(rows, columns=[ID, STEP, MEAN, SCALE, FLOOR])


def widths(made: pd.DataFrame, by: str) -> pd.Series:
    return (made["q0.9"] - made["q0.1"]).groupby(made[by]).mean()


def test_a_series_that_is_hard_to_forecast_has_wider_intervals() -> None:
    sizes = {"calm": 1.0, "wild": 5.0} | {f"s{place}": 2.0 for place in range(8)}
    width = widths(add_quantiles(ahead([*sizes]), past(sizes), QUANTILES), ID)
    assert 2 < width["wild"] / width["calm"] <= 5
    assert width["calm"] < width["s0"] < width["wild"]


def test_late_steps_have_wider_intervals_where_their_errors_are_larger() -> None:
    sizes = {f"s{place}": 2.0 for place in range(20)}
    width = widths(add_quantiles(ahead([*sizes]), past(sizes, growth=1.0), QUANTILES), STEP)
    assert list(width.index[width.argsort()]) == [1, 2, 3, 4]
    assert width[4] / width[1] == pytest.approx(4, rel=0.4)


def test_a_series_without_a_past_has_the_width_of_the_others() -> None:
    sizes = {f"s{place}": 2.0 for place in range(10)}
    width = widths(add_quantiles(ahead([*sizes, "new"]), past(sizes), QUANTILES), ID)
    assert width["new"] == pytest.approx(width.drop("new").mean(), rel=0.2)


def test_a_mean_that_was_always_too_low_is_corrected_and_lies_in_its_interval() -> None:
    made = add_quantiles(ahead(["s0", "s1"]), past({"s0": 0.5, "s1": 0.5}, bias=10.0), QUANTILES)
    assert made[RAW].eq(100.0).all()
    assert made[MEAN].between(108.0, 111.0).all()
    assert (made["q0.1"] < made[MEAN]).all()
    assert (made[MEAN] < made["q0.9"]).all()


def test_a_mean_that_was_off_by_chance_stays_as_it_is() -> None:
    made = add_quantiles(ahead(["s0", "s1"]), past({"s0": 5.0, "s1": 5.0}), QUANTILES)
    assert made[MEAN].eq(100.0).all()


def test_two_windows_that_agree_are_not_sure() -> None:
    history = past({"s0": 0.0, "s1": 6.0}, windows=2)
    made = add_quantiles(ahead(["s0", "s1"]), history.assign(**{TARGET: history[TARGET] + 0.1}), QUANTILES)
    assert made[MEAN].eq(100.0).all()


def test_a_backtest_of_one_window_has_no_quantiles_and_the_mean_of_the_candidate() -> None:
    rows = calibrate_windows(past({"s0": 1.0}, windows=1, bias=10.0), QUANTILES)
    assert rows[["q0.1", "q0.5", "q0.9"]].isna().all(axis=None)
    assert rows[MEAN].eq(100.0).all()


def test_a_mean_outside_of_its_interval_gives_way_to_that_of_the_distribution() -> None:
    sizes = {f"s{place}": 0.5 for place in range(4)}
    made = add_quantiles(ahead([*sizes]), past(sizes, windows=2, bias=10.0), QUANTILES)
    assert made[MEAN].between(made["q0.1"], made["q0.9"]).all()
    assert made[MEAN].between(109.0, 111.0).all()


def test_a_handful_of_residuals_moves_no_mean() -> None:
    made = add_quantiles(ahead(["s0"]), past({"s0": 0.5}, windows=2, bias=10.0), QUANTILES)
    assert made[MEAN].eq(100.0).all()


def test_the_mean_of_intermittent_demand_may_lie_above_its_interval() -> None:
    rows = [
        ("s0", cutoff, step, 50.0 * (cutoff == step), 2.5, 1.0, 0.0) for cutoff in range(20) for step in range(1, 5)
    ]  # one period of twenty has demand
    history = pd.DataFrame(rows, columns=[ID, CUTOFF, STEP, TARGET, MEAN, SCALE, FLOOR])
    made = add_quantiles(ahead(["s0"], floor=0.0).assign(**{MEAN: 2.5}), history, QUANTILES)
    assert (made[MEAN] == 2.5).all()
    assert (made["q0.9"] < 2.5).all()


def test_the_correction_of_a_backtest_is_of_the_other_windows_and_keeps_what_the_candidate_said() -> None:
    rows = calibrate_windows(past({"s0": 0.5, "s1": 0.5}, bias=10.0), QUANTILES)
    assert rows[RAW].eq(100.0).all()
    assert rows[MEAN].gt(105.0).all()
    again = add_quantiles(
        ahead(["s0", "s1"]), rows, QUANTILES
    )  # residuals are of what the candidate said, not of its correction
    assert again[MEAN].between(108.0, 111.0).all()


@given(sizes=st.lists(st.floats(0, 50), min_size=1, max_size=5), bias=st.floats(-200, 200), windows=st.integers(1, 5))
def test_quantiles_never_cross_and_nothing_is_below_the_floor(sizes: list[float], bias: float, windows: int) -> None:
    history = past({f"s{place}": size for place, size in enumerate(sizes)}, bias=bias, windows=windows)
    made = add_quantiles(ahead([f"s{place}" for place in range(len(sizes))], floor=0.0), history, QUANTILES)
    values = made[["q0.1", "q0.5", "q0.9"]].to_numpy()
    assert (np.diff(values, axis=1) >= 0).all()
    assert (values >= 0).all()
    assert (made[MEAN] >= 0).all()
