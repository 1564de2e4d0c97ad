"""What is usual is told by the windows of the backtest, in blocks, each by its worst."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.forecast.frame import TIME
from mlspec.forecast.starting_alerts import BLOCKS, FALSE_ALARMS_PER_YEAR, starting_alerts
from mlspec.forecast.usual_drift import FEWEST_BLOCKS, usual_limit
from mlspec.forecast.usual_errors import error_blocks, smaller_limits

few = settings(max_examples=30)  # each makes tables
errors = st.lists(st.floats(0, 5), min_size=8, max_size=80)


def backtest(values: list[float]) -> pd.DataFrame:
    """Errors of one series over the periods of a backtest."""
    return pd.DataFrame({TIME: pd.date_range("2024-01-01", periods=len(values)), "error": values})


def error_limit(values: list[float], length: int, share: float, *, around_zero: bool = False) -> float | None:
    return usual_limit(error_blocks(backtest(values), mean_error, length), share, around_zero=around_zero)


def mean_error(rows: pd.DataFrame) -> float | None:
    return float(rows["error"].mean()) if len(rows) else None


@few
@given(values=errors, length=st.integers(1, 9))
def test_blocks_are_the_worst_of_whole_windows_and_cover_the_backtest(values: list[float], length: int) -> None:
    blocks = error_blocks(backtest(values), mean_error, length)
    windows = [float(np.mean(values[end - length : end])) for end in range(length, len(values) + 1)]
    assert len(blocks) == len(values) // length
    for block in blocks:
        assert min(abs(block - window) for window in windows) < 1e-9
    assert blocks[:1] >= [float(np.mean(values[-length:])) - 1e-9][: len(blocks)]


@few
@given(values=errors, factor=st.floats(0.01, 100), share=st.floats(0.001, 0.9), around_zero=st.booleans())
def test_a_limit_grows_as_errors_do(values: list[float], factor: float, share: float, *, around_zero: bool) -> None:
    one, other = (
        error_limit([scale * value for value in values], 2, share, around_zero=around_zero) for scale in (1.0, factor)
    )
    assert one is not None
    assert other is not None
    assert abs(other - factor * one) <= 1e-6 * max(1.0, other)


def test_windows_of_one_distribution_exceed_the_limit_about_as_often_as_asked() -> None:
    rng = np.random.default_rng(3)
    length, share, beyond, tries = 4, 0.05, 0, 400
    for _ in range(tries):
        values = list(rng.gamma(4, 0.05, (BLOCKS + 1) * length))
        limit = error_limit(values[:-length], length, share)
        beyond += float(np.mean(values[-length:])) > (limit or 0)
    assert beyond / tries < share * 1.3


def test_a_backtest_of_few_windows_tells_nothing() -> None:
    assert error_limit([0.1] * (FEWEST_BLOCKS * 3 - 1), 3, 0.1) is None
    assert error_limit([], 3, 0.1) is None


def test_with_many_segments_fewer_windows_are_measured() -> None:
    counted = []

    def badness(rows: pd.DataFrame) -> float:
        counted.append(len(rows))
        return 0.1

    error_blocks(backtest([0.1] * 32), badness, 4)
    assert set(counted) == {4}
    few = len(counted)
    counted.clear()
    assert len(error_blocks(backtest([0.1] * 32), badness, 4, segments=10_000)) == BLOCKS
    assert len(counted) == BLOCKS < few


@given(tested_periods=st.integers(1, 200), series=st.integers(1, 50))
def test_a_new_spec_names_a_rate_and_as_many_blocks_as_its_backtest_allows(tested_periods: int, series: int) -> None:
    alerts = starting_alerts(tested_periods, series)
    assert {alert["false_alarms_per_year"] for alert in alerts} == {FALSE_ALARMS_PER_YEAR}
    assert {name for alert in alerts[1:] for name in (alert["name"],)} == set(alerts[0]["inhibits"])
    assert tested_periods // alerts[0]["window"] >= min(BLOCKS, tested_periods)
    assert ("drift" in {alert["name"] for alert in alerts}) == (series >= 4)


def test_a_bias_exceeds_its_limit_about_as_often_as_asked_on_either_side() -> None:
    rng = np.random.default_rng(4)
    share, beyond, tries = 0.05, 0, 1500
    for _ in range(tries):
        *past, newest = np.abs(rng.normal(0, 0.1, BLOCKS + 1))
        beyond += newest > (usual_limit(past, share, around_zero=True) or 0)
    assert beyond / tries < share * 1.3


limits = st.dictionaries(st.sampled_from("abc"), st.floats(0, 9))


@given(by_backtest=st.lists(limits, max_size=3), by_served=limits)
def test_what_served_lowers_a_limit_and_never_raises_that_of_the_backtest(
    by_backtest: list[dict[str, float]], by_served: dict[str, float]
) -> None:
    found = smaller_limits(by_backtest, by_served)
    assert set(found) == {segment for part in (*by_backtest, by_served) for segment in part}
    for segment, limit in found.items():
        tested = [part[segment] for part in by_backtest if segment in part]
        assert limit <= max(tested, default=limit)
        assert limit in (max(tested, default=None), by_served.get(segment))
