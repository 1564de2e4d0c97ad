"""Drift is a jump away from what is usual at this time of the year; growth, seasons and small samples are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.drift import (
    DemandWindows,
    DriftBaseline,
    count_new_and_vanished,
    drift_samples,
    ks,
    observed_table,
    psi,
    relative_volume,
)
from mlspec.forecast.frame import ID, TIME, Layout, Panel
from mlspec.forecast.frequency import parse_frequency

SEASON = 12
SAME, TRAINING = DriftBaseline("same-season", SEASON), DriftBaseline("training", SEASON)
numbers = st.lists(st.floats(0, 1e6), min_size=40, max_size=200).map(np.array)


def panel(values: np.ndarray, observed: np.ndarray | None = None) -> Panel:
    """A monthly panel of values, a row a period and a column a series."""
    times = pd.date_range("2015-01-01", periods=len(values), freq="MS")
    seen = np.ones(values.shape, dtype=bool) if observed is None else observed
    rows = [
        (f"s{column:02}", times[row], values[row, column], seen[row, column])
        for column in range(values.shape[1])
        for row in range(len(values))
    ]
    frame = pd.DataFrame(rows, columns=[ID, TIME, "y", "observed"])
    names = pd.DataFrame({ID: sorted(frame[ID].unique())})
    return Panel(frame, names, frame[[ID, TIME]][:0], Layout(parse_frequency("MS"), 3, SEASON))


def demand(years: int = 6, series: int = 30, growth: float = 0.1) -> np.ndarray:
    """Seasonal demand that grows, of series of very different sizes."""
    rng = np.random.default_rng(7)
    month = np.arange(years * SEASON)[:, None]
    season = 1 + 0.5 * np.sin(2 * np.pi * month / SEASON)
    return (
        season
        * (1 + growth) ** (month / SEASON)
        * 10.0 ** (np.arange(series) % 4)
        * rng.gamma(25, 1 / 25, (len(month), series))
    )


def measured(found: Panel, baseline: DriftBaseline, back: int = 0) -> tuple[float | None, float | None]:
    windows = DemandWindows(observed_table(found).to_numpy(), 4, SEASON)
    expected, actual = drift_samples(windows, baseline, back)
    return psi(expected, actual), ks(expected, actual)


@given(numbers)
def test_a_sample_has_not_moved_from_itself(values: np.ndarray) -> None:
    assert psi(values, values) == 0.0
    assert ks(values, values) == 0.0


@given(numbers, numbers)
def test_distances_are_never_negative_and_ks_is_a_share(one: np.ndarray, other: np.ndarray) -> None:
    index, distance = psi(one, other), ks(one, other)
    assert index is not None
    assert index >= 0
    assert distance is not None
    assert 0 <= distance <= 1
    assert ks(other, one) == pytest.approx(distance)


def test_seasons_and_growth_are_no_drift_against_the_same_season() -> None:
    found = panel(demand())
    for back in range(24):
        index, distance = measured(found, SAME, back)
        assert index is not None
        assert index < 0.25
        assert distance is not None
        assert distance < 0.25


def test_a_season_looks_like_drift_against_all_of_the_past() -> None:
    found = panel(demand())
    assert max(measured(found, TRAINING, back)[0] or 0 for back in range(12)) > 0.25


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_a_jump_is_drift_the_more_of_it_the_more(factor: float) -> None:
    values = demand()
    seen = []
    for periods in (0, 2, 4):
        jumped = values.copy()
        jumped[len(values) - periods :, ::2] *= factor
        seen.append(measured(panel(jumped), SAME)[0] or 0.0)
    assert seen[0] < 0.25 < seen[2]
    assert seen == sorted(seen)


def test_too_little_data_is_no_verdict() -> None:
    assert psi(np.arange(29.0), np.arange(100.0)) is None
    assert ks(np.arange(19.0), np.arange(100.0)) is None
    assert measured(panel(demand(years=1)), SAME) == (None, None)
    assert measured(panel(demand(series=2)), SAME)[0] is None


def test_volume_is_measured_against_the_season_before() -> None:
    values = demand()
    observed = np.ones(values.shape, dtype=bool)
    observed[-1, :12] = False
    found = panel(values, observed)
    assert relative_volume(observed_table(found), SEASON, 0) == pytest.approx(18 / 30)
    assert relative_volume(observed_table(found), SEASON, 1) == 1.0


def test_series_that_come_and_go_are_counted() -> None:
    values = demand()
    observed = np.ones(values.shape, dtype=bool)
    observed[:-1, 0] = False  # first seen in the newest period
    observed[-1, 1:3] = False  # not seen any more
    found = panel(values, observed)
    assert count_new_and_vanished(observed_table(found), 1, 0) == (1.0, 2.0)
    assert count_new_and_vanished(observed_table(found), 1, 1) == (0.0, 0.0)
