"""What is usual is told by past windows: a limit is exceeded as often as was asked for, and a jump still is beyond it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.data_metrics import FORMULAS, DataWindow
from mlspec.forecast.usual_drift import FEWEST_BLOCKS, MOST_BLOCKS, drift_limit, past_blocks, usual_limit

WEEK, WINDOW = 7, 8
blocks = st.lists(st.floats(0, 10), min_size=FEWEST_BLOCKS, max_size=80)


def shared_days(days: int = 500, series: int = 8, seed: int = 3) -> pd.DataFrame:
    """Daily demand of series that have their days in common: good and bad weeks move all of them."""
    rng = np.random.default_rng(seed)
    weather = np.exp(0.12 * np.convolve(rng.normal(size=days + 5), np.ones(6) / 2.45, mode="valid"))[:days, None]
    weekdays = 1 + 0.3 * np.sin(2 * np.pi * np.arange(days)[:, None] / WEEK)
    values = 100 * weather * weekdays * rng.gamma(50, 1 / 50, (days, series))
    return pd.DataFrame(
        values, index=pd.date_range("2024-01-01", periods=days), columns=[f"s{n}" for n in range(series)]
    )


def incidents(table: pd.DataFrame, moments: range, alarms: float | None) -> int:
    """How often psi begins to be beyond 0.25 (and the limit) over the moments, a number of rows each."""
    began, before = 0, False
    for rows in moments:
        window = DataWindow.newest(table.iloc[:rows], WEEK, WINDOW)
        value, limit = FORMULAS["psi"](window), None if alarms is None else drift_limit(window, FORMULAS["psi"], alarms)
        beyond = value is not None and value > 0.25 and (limit is None or value > limit)
        began, before = began + (beyond and not before), beyond
    return began


def test_days_that_all_series_share_raise_no_alarm_and_a_fixed_threshold_does() -> None:
    table = shared_days()
    moments = range(140, 500, 4)  # a year
    assert incidents(table, moments, None) >= 8
    assert incidents(table, moments, 1.0) <= 1


@pytest.mark.parametrize("factor", [2.0, 0.4])
def test_a_jump_is_beyond_what_is_usual_within_a_window(factor: float) -> None:
    table = shared_days(400)
    table.iloc[-WINDOW:] *= factor
    assert incidents(table, range(400, 401), 1.0) == 1


@given(blocks, st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_a_rarer_alarm_has_a_higher_limit(past: list[float], one: float, other: float) -> None:
    rare, often = (usual_limit(past, share) for share in sorted((one, other)))
    assert rare is not None
    assert often is not None
    assert rare >= often - 1e-9


@given(blocks, st.floats(0.001, 0.999))
def test_no_more_of_the_past_is_beyond_the_limit_than_was_asked_for(past: list[float], share: float) -> None:
    limit = usual_limit(past, share)
    assert limit is not None
    assert sum(value > limit for value in past) <= share * (len(past) + 1)


def test_blocks_of_one_distribution_exceed_the_limit_as_often_as_asked() -> None:
    rng = np.random.default_rng(5)
    for count, share in ((5, 0.05), (30, 0.05), (60, 0.02)):
        tries = [np.square(rng.normal(1, 0.4, count + 1)) for _ in range(4000)]
        beyond = [values[-1] > (usual_limit(list(values[:-1]), share) or 0) for values in tries]
        assert np.mean(beyond) < share * 1.3


def test_a_short_past_tells_nothing() -> None:
    assert usual_limit([0.1] * (FEWEST_BLOCKS - 1), 0.5) is None
    assert drift_limit(DataWindow.newest(shared_days(40), WEEK, WINDOW), FORMULAS["psi"], 1.0) is None


def test_the_past_of_a_large_panel_is_looked_at_in_fewer_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []

    def formula(window: DataWindow) -> float:
        looked_at.append(window.back)
        return 0.1

    window = DataWindow.newest(shared_days(), WEEK, WINDOW)
    assert len(past_blocks(window, formula)) == MOST_BLOCKS
    assert len(looked_at) == 4 * MOST_BLOCKS
    assert min(looked_at) == WINDOW  # no period of the window itself
    looked_at.clear()
    monkeypatch.setattr("mlspec.forecast.usual_drift.MOST_VALUES", 10)
    assert len(past_blocks(window, formula)) == 12
    assert looked_at == [WINDOW * block for block in range(1, 13)]
