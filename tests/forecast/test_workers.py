"""Shares of a panel: each series in one of them, and nothing forecast otherwise for being in a share."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast import candidates as families
from mlspec.forecast import workers
from mlspec.forecast.backtest import forecast_means
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Layout, Panel, horizon_frame
from mlspec.forecast.frequency import parse_frequency
from mlspec.forecast.workers import THIS_PROCESS, forecast_blocks, split_panel
from mlspec.spec.candidates import GradientBoosting, Theta

DAYS = 60


def panel(series: int) -> Panel:
    """Daily series with a week in them, at levels of their own."""
    days = pd.date_range("2024-01-01", periods=DAYS)
    frame = pd.concat(
        pd.DataFrame(
            {ID: f"s{place:02}", TIME: days, TARGET: place * 10 + days.dayofweek * 1.5 + days.day % 5, OBSERVED: True}
        )
        for place in range(series)
    )
    layout = Layout(parse_frequency("D"), 3, 7)
    bare = Panel(frame.reset_index(drop=True), pd.DataFrame({ID: frame[ID].unique()}), frame[[ID, TIME]][:0], layout)
    return Panel(bare.frame, bare.series, horizon_frame(bare), layout)


@given(series=st.integers(1, 12), count=st.integers(1, 20))
def test_each_series_is_dealt_to_one_share_and_no_share_is_empty(series: int, count: int) -> None:
    shares = [set(share.series[ID]) for share in split_panel(panel(series), count)]
    assert len(shares) == min(series, count)
    assert all(shares)
    assert sum(map(len, shares)) == len(set.union(*shares)) == series


@pytest.mark.parametrize("candidate", [
    Theta(kind="theta"),
    GradientBoosting(kind="gradient-boosting", lags=(1, 7), iterations=20),
    GradientBoosting(kind="gradient-boosting", library="lightgbm", lags=(1, 7), iterations=20),
], ids=lambda candidate: f"{candidate.kind}-{getattr(candidate, 'library', '')}")  # fmt: skip
def test_a_large_panel_is_forecast_in_blocks_to_the_last_digit_as_whole(
    monkeypatch: pytest.MonkeyPatch, candidate: Any
) -> None:
    whole = panel(5)
    fitted = families.fit_candidate(candidate, whole, seed=0)
    expected = forecast_means(fitted, whole, candidate.label)
    monkeypatch.setattr(workers, "MOST_ROWS", 2 * DAYS)
    assert len(list(forecast_blocks(whole, THIS_PROCESS))) == 3
    pd.testing.assert_frame_equal(forecast_means(fitted, whole, candidate.label), expected, check_exact=True)
