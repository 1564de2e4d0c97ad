"""Sums that are the same to the bit in whatever order and in however many parts the numbers are added."""

from __future__ import annotations

import math
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.exact_sums import ExactSums

NUMBERS = st.lists(st.floats(-1e12, 1e12) | st.floats(-1e-3, 1e-3) | st.integers(-100, 100).map(float), max_size=30)


def add_up(*parts: list[float]) -> float:
    sums = ExactSums(2)
    for part in parts:
        sums.add(np.ones(len(part), dtype="int64"), np.array(part, dtype="float64"))
    assert sums.totals()[0] == 0.0
    return float(sums.totals()[1])


@given(NUMBERS, st.randoms(use_true_random=False), st.integers(0, 30))
def test_a_sum_does_not_depend_on_the_order_and_the_parts_of_its_numbers(
    numbers: list[float], random: Random, cut: int
) -> None:
    mixed = random.sample(numbers, len(numbers))
    assert add_up(mixed[:cut], mixed[cut:]) == add_up(numbers)


@given(NUMBERS)
def test_a_sum_is_exact_but_for_its_last_bits(numbers: list[float]) -> None:
    largest = max(map(abs, numbers), default=0.0)
    assert math.isclose(add_up(numbers), math.fsum(numbers), rel_tol=1e-15, abs_tol=1e-15 * largest)


def test_what_is_lost_in_a_plain_sum_is_not() -> None:
    assert add_up([1e16, 1.0, -1e16]) == 1.0
    assert add_up([0.1] * 10) == 1.0
