"""The windows of a backtest: those of the spec where the history has room for them, else nearer or fewer ones, and it is said."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.errors import ModelError
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Layout, Panel, horizon_frame
from mlspec.forecast.frequency import parse_frequency
from mlspec.forecast.windows import backtest_windows
from mlspec.spec.backtest_windows import fit_windows
from mlspec.spec.forecast import Backtest


def weekly(length: int, horizon: int) -> Panel:
    """One weekly series."""
    weeks = pd.date_range("2022-01-07", periods=length, freq="W-FRI")
    frame = pd.DataFrame({ID: "s", TIME: weeks, TARGET: range(length), OBSERVED: True})
    bare = Panel(frame, pd.DataFrame({ID: ["s"]}), frame[[ID, TIME]][:0], Layout(parse_frequency("W-FRI"), horizon, 52))
    return Panel(frame, bare.series, horizon_frame(bare), bare.layout)


def test_a_long_history_has_the_windows_of_the_spec() -> None:
    found = backtest_windows(weekly(160, 8), Backtest(windows=4, step=8))
    assert (len(found.cutoffs), found.note) == (4, "")
    assert {later - earlier for earlier, later in zip(found.cutoffs, found.cutoffs[1:], strict=False)} == {
        pd.Timedelta(weeks=8)
    }
    assert found.cutoffs[-1] == weekly(160, 8).cutoff - pd.Timedelta(weeks=8)


def test_windows_overlap_where_the_first_would_begin_without_its_seasons() -> None:
    found = backtest_windows(weekly(143, 8), Backtest(windows=5, step=8))
    assert found.note == (
        "the backtest has 5 windows of 8 periods, 7 apart: 143 periods of history are too few for 5 windows, 8 apart, "
        "so that each begins with two seasons of 52"
    )


def test_a_history_of_forty_five_periods_is_not_refused() -> None:
    found = backtest_windows(weekly(45, 8), Backtest(windows=6, step=8))
    assert (len(found.cutoffs), "45 periods of history are too few" in found.note) == (6, True)
    assert "seasons" not in found.note


@pytest.mark.parametrize(
    ("length", "windows", "expected"),
    [(160, 4, (4, 8)), (30, 4, (4, 6)), (16, 4, (4, 2)), (14, 4, (3, 2)), (12, 4, (2, 2)), (10, 1, (1, 8))],
)
def test_shorter_histories_have_nearer_windows_and_then_fewer(
    length: int, windows: int, expected: tuple[int, int]
) -> None:
    assert fit_windows(length, 8, 52, windows, 8) == expected


def test_a_history_without_room_for_two_windows_is_refused() -> None:
    with pytest.raises(
        ModelError, match="a backtest of 2 windows of 8 periods needs 12 periods of history; there are 11"
    ):
        fit_windows(11, 8, 52, 4, 8)


@given(length=st.integers(4, 400), horizon=st.integers(1, 30), season=st.sampled_from([1, 4, 7, 12, 52]), windows=st.integers(1, 8),
       step=st.integers(1, 40))  # fmt: skip
def test_windows_are_never_more_nor_farther_apart_than_asked_and_keep_the_seasons(
    length: int, horizon: int, season: int, windows: int, step: int
) -> None:
    try:
        count, distance = fit_windows(length, horizon, season, windows, step)
    except ModelError:
        assert length < 2 + horizon + max(1, round(horizon / 4))
        return
    first = length - horizon - (count - 1) * distance
    assert (1 if windows == 1 else 2) <= count <= windows
    assert distance <= step
    assert first >= 2
    if length - horizon - (windows - 1) * step >= 2 * season:
        assert (count, distance) == (windows, step)
