"""Forecasts are dealt among tasks: each has one task, always the same, and no task is started for little."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.shares import Share, tasks_for


@given(st.text(min_size=1, max_size=40), st.integers(1, 50))
def test_each_forecast_is_in_exactly_one_share(name: str, count: int) -> None:
    assert sum(Share(index, count).has(name) for index in range(count)) == 1


def test_a_share_is_the_same_on_every_machine_and_none_is_far_larger_than_another() -> None:
    names = [f"f{number:03}" for number in range(200)]
    assert [name for name in names if Share(3, 40).has(name)] == ["f064", "f065", "f076", "f105", "f125", "f191"]
    sizes = [sum(Share(index, 10).has(name) for name in names) for index in range(10)]
    assert sum(sizes) == 200
    assert max(sizes) <= 30


@pytest.mark.parametrize(
    ("busy", "most", "tasks"), [(0, 10, 1), (20, 10, 1), (21, 10, 2), (200, 10, 10), (900, 10, 10), (900, 1, 1)]
)
def test_as_many_tasks_as_there_is_work_for(busy: int, most: int, tasks: int) -> None:
    assert tasks_for(busy, most) == tasks
