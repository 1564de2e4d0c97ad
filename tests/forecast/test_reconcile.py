"""Reconciliation: series are corrected by what their levels forecast, and what nothing is known of stays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.forecast.candidates import ChosenCandidate
from mlspec.forecast.frame import Layout, Panel
from mlspec.forecast.frequency import parse_frequency
from mlspec.forecast.levels import level_nodes
from mlspec.forecast.reconcile import (
    BaseErrors,
    LevelSums,
    fitting_method,
    level_candidate,
    reconcile_rows,
    reconcile_windows,
)
from mlspec.spec.candidates import Ensemble, GradientBoosting, Theta
from mlspec.spec.hierarchy import Level, Reconciliation

SERIES = ["a", "b", "c", "d"]
REGION = pd.DataFrame({"region": ["n", "n", "s", "s"]}, index=SERIES)
METHODS: list[Reconciliation] = ["ols", "wls-struct", "wls-var", "mint-shrink"]


def sums() -> LevelSums:
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(SERIES, 10), "ds": np.tile(pd.date_range("2024-01-01", periods=10), 4), "y": 5.0,
            "observed": True,
        }
    )  # fmt: skip
    panel = Panel(frame, frame[["unique_id"]].drop_duplicates(), frame[:0], Layout(parse_frequency("D"), 2, 7))
    levels = [level_nodes(level, REGION) for level in (Level("total", ()), Level("region", ("region",)))]
    return LevelSums.of(panel, levels, 1.0)


def rows(names: list[str], means: np.ndarray, cutoff: int = 0, noise: np.ndarray | None = None) -> pd.DataFrame:
    steps = means.shape[1]
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(names, steps), "h": np.tile(np.arange(1, steps + 1), len(names)), "mean": means.ravel(),
            "cutoff": pd.Timestamp("2024-01-01") + pd.Timedelta(days=cutoff), "floor": 0.0,
        }
    )  # fmt: skip
    return frame.assign(y=frame["mean"] + (0.0 if noise is None else noise.ravel()))


NODES = ["region:n", "region:s", "total:all series"]


def past(seed: int, total: float = 1.0, windows: int = 6, names: list[str] = SERIES) -> BaseErrors:
    """Errors of a backtest: those of sums are `total` times as large as those of a series."""
    random = np.random.default_rng(seed)
    series = [
        rows(names, np.full((len(names), 2), 10.0), w, random.normal(0, 2, (len(names), 2))) for w in range(windows)
    ]
    above = [rows(NODES, np.full((3, 2), 20.0), w, random.normal(0, 2 * total, (3, 2))) for w in range(windows)]
    return BaseErrors.measured(pd.concat(series), pd.concat(above), "mean")


@pytest.mark.parametrize("method", METHODS)
def test_forecasts_that_agree_already_stay(method: Reconciliation) -> None:
    base = np.array([[10.0, 11], [12, 13], [14, 15], [16, 17]])
    levels = np.vstack([base[:2].sum(0), base[2:].sum(0), base.sum(0)])
    corrected = reconcile_rows(rows(SERIES, base), rows(NODES, levels), past(1), sums(), method)
    np.testing.assert_allclose(corrected, base.ravel(), rtol=1e-4)


@pytest.mark.parametrize("method", ["wls-var", "mint-shrink"])
def test_the_series_follow_a_level_that_is_surer_than_they_are(method: Reconciliation) -> None:
    base, levels = np.full((4, 2), 10.0), np.array([[24.0, 24], [24, 24], [48, 48]])
    sure = reconcile_rows(rows(SERIES, base), rows(NODES, levels), past(1, 0.05), sums(), method)
    unsure = reconcile_rows(rows(SERIES, base), rows(NODES, levels), past(1, 50.0), sums(), method)
    assert sure.reshape(4, 2).sum(0) == pytest.approx([48, 48], rel=0.02)
    assert unsure.reshape(4, 2).sum(0) == pytest.approx([40, 40], rel=0.02)


@given(st.lists(st.floats(0, 1e4), min_size=14, max_size=14), st.sampled_from(METHODS))
@settings(max_examples=30, deadline=None)
def test_no_corrected_forecast_is_below_the_floor_or_no_number(values: list[float], method: Reconciliation) -> None:
    base, levels = np.array(values[:8]).reshape(4, 2), np.array(values[8:]).reshape(3, 2)
    corrected = reconcile_rows(rows(SERIES, base), rows(NODES, levels), past(2), sums(), method)
    assert np.isfinite(corrected).all()
    assert (corrected >= 0).all()
    again = reconcile_rows(rows(SERIES, base), rows(NODES, levels), past(2), sums(), method)
    np.testing.assert_array_equal(corrected, again)


def test_a_series_without_errors_keeps_its_forecast_and_the_others_take_the_rest() -> None:
    base, levels = np.full((4, 2), 10.0), np.array([[30.0, 30], [20, 20], [50, 50]])
    errors = past(3, 0.01, names=["b", "c", "d"])
    corrected = reconcile_rows(rows(SERIES, base), rows(NODES, levels), errors, sums(), "wls-var").reshape(4, 2)
    assert corrected[0].tolist() == [10, 10]
    assert corrected[1] == pytest.approx([20, 20], rel=0.02)


def test_zero_errors_have_no_covariance_and_the_number_of_series_weighs_instead() -> None:
    base, levels = np.full((4, 2), 10.0), np.array([[24.0, 24], [24, 24], [48, 48]])
    exact = BaseErrors.measured(
        pd.concat([rows(SERIES, base, w) for w in range(3)]),
        pd.concat([rows(NODES, levels, w) for w in range(3)]),
        "mean",
    )
    instead = reconcile_rows(rows(SERIES, base), rows(NODES, levels), exact, sums(), "wls-struct")
    for method in METHODS[2:]:
        np.testing.assert_array_equal(
            reconcile_rows(rows(SERIES, base), rows(NODES, levels), exact, sums(), method), instead
        )


def test_too_many_series_for_a_covariance_are_told() -> None:
    assert fitting_method("mint-shrink", 3_000) == ("mint-shrink", "")
    method, why = fitting_method("mint-shrink", 3_001)
    assert method == "wls-struct"
    assert "9 million values" in why
    assert fitting_method("wls-var", 100_000) == ("wls-var", "")


def test_levels_are_forecast_by_the_members_that_need_no_training() -> None:
    theta, trees = Theta(kind="theta"), GradientBoosting(kind="gradient-boosting")
    assert level_candidate(ChosenCandidate(theta)).parts == (theta,)
    both = ChosenCandidate(Ensemble(kind="ensemble", of="all", combine="median"), (theta, trees))
    assert level_candidate(both).parts == (theta,)
    assert [member.kind for member in level_candidate(ChosenCandidate(trees)).parts] == ["auto-ets", "theta"]


def test_a_window_of_the_backtest_is_corrected_by_the_errors_of_the_others() -> None:
    random = np.random.default_rng(5)
    series = pd.concat([rows(SERIES, np.full((4, 2), 10.0), w, random.normal(0, 2, (4, 2))) for w in range(4)])
    above = pd.concat([rows(NODES, np.full((3, 2), 30.0), w, random.normal(0, 2, (3, 2))) for w in range(4)])
    series, above = series.reset_index(drop=True), above.reset_index(drop=True)
    before = reconcile_windows(series, above, sums(), "wls-var")
    newest = series["cutoff"].max()
    own, of_levels = series["cutoff"] == newest, above["cutoff"] == newest
    other = reconcile_windows(
        series.assign(y=series["y"].mask(own, series["y"] * 3)), above.assign(y=above["y"].mask(of_levels, 0.0)),
        sums(), "wls-var",
    )  # fmt: skip
    np.testing.assert_array_equal(before[own], other[own])
    assert (series["mean"] == 10.0).all()
    assert (before[~own] != other[~own]).any()
