"""The accuracy measures, against numbers worked out by hand and laws that they obey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.metrics import bias, coverage, mase, pinball, rmsse, wape

Y, F = np.array([10.0, 20.0, 30.0]), np.array([12.0, 18.0, 33.0])
pairs = st.lists(st.tuples(st.floats(1, 1e4), st.floats(0, 1e4)), min_size=1, max_size=20)


def test_each_measure_is_what_its_formula_says() -> None:
    assert wape(Y, F) == pytest.approx(7 / 60)
    assert bias(Y, F) == pytest.approx(3 / 60)
    assert mase(Y, F, np.array([2.0, 2.0, 2.0])) == pytest.approx(7 / 6)
    assert rmsse(Y, F, np.array([4.0, 4.0, 4.0])) == pytest.approx(np.sqrt(17 / 12))
    assert pinball(Y, {0.5: F}) == pytest.approx(3.5 / 60)
    assert coverage(Y, np.array([9.0, 21.0, 30.0]), np.array([11.0, 22.0, 31.0])) == pytest.approx(2 / 3)


def test_a_measure_that_cannot_be_taken_is_none() -> None:
    none = np.array([])
    assert wape(np.zeros(3), F) is None
    assert bias(none, none) is None
    assert coverage(none, none, none) is None
    assert pinball(Y, {}) is None
    assert mase(Y, F, np.array([0.0, np.nan, 0.0])) is None
    assert rmsse(Y, F, np.zeros(3)) is None


@given(pairs, st.floats(0.01, 100))
def test_scale_changes_no_relative_measure(found: list[tuple[float, float]], scale: float) -> None:
    actual, forecast = (np.array(column) for column in zip(*found, strict=True))
    for measure in (wape, bias, lambda y, f: pinball(y, {0.1: f, 0.9: f})):
        assert measure(actual * scale, forecast * scale) == pytest.approx(measure(actual, forecast), rel=1e-6, abs=1e-9)


@given(pairs)
def test_a_perfect_forecast_has_no_error(found: list[tuple[float, float]]) -> None:
    actual = np.array([y for y, _ in found])
    assert (wape(actual, actual), bias(actual, actual), pinball(actual, {0.9: actual})) == (0, 0, 0)
    assert coverage(actual, actual, actual) == 1
