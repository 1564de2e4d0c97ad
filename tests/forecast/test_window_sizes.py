"""An error is divided by sizes that it did not shape, as the next forecast's error will be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.window_sizes import ErrorSizes, PlacedErrors, leave_out_own, measure_sizes


def placed(table: np.ndarray) -> PlacedErrors:
    """Errors of a table of windows by series by steps."""
    windows, series, steps = (axis.ravel() for axis in np.indices(table.shape))
    return PlacedErrors(table.ravel(), steps, series, windows)


def without_own(table: np.ndarray) -> np.ndarray:
    errors = placed(table)
    return leave_out_own(errors, measure_sizes(errors)).reshape(table.shape)


def test_a_window_that_went_badly_is_judged_by_the_others_and_they_by_it() -> None:
    table = np.ones((4, 6, 8))
    table[3] = 4.0
    sizes = without_own(table)
    assert sizes[3] == pytest.approx(1.0)
    assert sizes[:3] == pytest.approx((1 + 1 + 4) / 3)


def test_a_window_that_is_of_another_kind_counts_twice_at_most() -> None:
    table = np.ones((4, 6, 8))
    table[3] = 97.0
    assert without_own(table)[3] == pytest.approx((3 + 97) / 4 / 2)


def test_a_series_and_a_step_have_the_size_of_their_own_errors_as_far_as_they_tell() -> None:
    table = np.ones((4, 6, 8)) * np.where(np.arange(8) == 7, 3.0, 1.0) * np.where(np.arange(6) == 5, 4.0, 1.0)[:, None]
    sizes = measure_sizes(placed(table))
    assert 2.0 < sizes.by_step[7] / sizes.by_step[0] < 3.0
    assert 2.0 < sizes.by_series[5] / sizes.by_series[0] < 4.0


def test_a_single_window_has_the_sizes_of_all() -> None:
    assert without_own(np.full((1, 3, 2), 5.0)) == pytest.approx(5.0)


def test_a_window_after_perfect_ones_has_a_size_that_can_divide() -> None:
    table = np.zeros((4, 1, 1))
    table[3] = 8.0
    assert without_own(table)[3].item() == pytest.approx(8 / 4 / 2)


def test_no_error_at_all_has_a_size_that_can_divide() -> None:
    assert (without_own(np.zeros((3, 2, 2))) > 0).all()


@pytest.mark.parametrize("windows", [3, 4, 6])
def test_errors_in_sizes_of_the_other_windows_spread_as_the_next_one_does(windows: int) -> None:
    chance = np.random.default_rng(1)
    table = np.abs(chance.normal(size=(windows + 1, 400, 1))) * chance.lognormal(size=(400, 1))
    past, ahead = table[:-1], table[-1]
    errors = placed(past)
    sizes = measure_sizes(errors)
    coming = ahead / (sizes.by_step * sizes.by_series[:, None])
    judged = np.quantile(errors.values / leave_out_own(errors, sizes), 0.8)
    assert (coming <= judged).mean() == pytest.approx(0.8, abs=0.05)


@given(
    windows=st.integers(1, 5), series=st.integers(1, 4), steps=st.integers(1, 4), factor=st.floats(0.01, 100.0),
    seed=st.integers(0, 1_000),
)  # fmt: skip
def test_sizes_grow_as_the_errors_do(windows: int, series: int, steps: int, factor: float, seed: int) -> None:
    table = np.random.default_rng(seed).exponential(size=(windows, series, steps))
    assert without_own(table * factor) == pytest.approx(without_own(table) * factor)
    sizes = measure_sizes(placed(table))
    assert isinstance(sizes, ErrorSizes)
    assert (sizes.by_step > 0).all()
    assert (sizes.by_series > 0).all()
