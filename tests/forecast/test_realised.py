"""A period is judged once it is mature, by the newest forecast that was made before it."""

from __future__ import annotations

import pandas as pd
import pytest

from mlspec.forecast.frame import ID, TIME, Layout, Panel
from mlspec.forecast.frequency import parse_frequency
from mlspec.forecast.realised import Maturity, forecasts_by_lead, last_windows, match_newest, measure_accuracy

DAYS = pd.date_range("2024-01-01", periods=10, freq="D")
NOW = pd.Timestamp("2024-01-11")  # the end of the last day
AT_ONCE = Maturity(pd.Timedelta(0), 1.0)


def panel(missing: tuple[str, str] | None = None) -> Panel:
    """Two series that sell ten a day; `missing` names a series and a day without an actual."""
    rows = [(series, day, 10.0, (series, day.date().isoformat()) != missing) for series in ("a", "b") for day in DAYS]
    frame = pd.DataFrame(rows, columns=[ID, TIME, "y", "observed"])
    return Panel(frame, pd.DataFrame({ID: ["a", "b"]}), frame[[ID, TIME]][:0], Layout(parse_frequency("D"), 3, 7))


def made(cutoff: str, mean: float, days: int = 3) -> pd.DataFrame:
    times = pd.date_range(pd.Timestamp(cutoff) + pd.Timedelta(days=1), periods=days, freq="D")
    rows = [(series, day, pd.Timestamp(cutoff), mean, mean - 2, mean + 2) for series in ("a", "b") for day in times]
    return pd.DataFrame(rows, columns=[ID, TIME, "cutoff", "mean", "q0.1", "q0.9"])


def test_the_newest_forecast_before_a_period_is_the_one_that_is_judged() -> None:
    rows = match_newest(panel(), [made("2024-01-06", 11.0), made("2024-01-05", 20.0)], AT_ONCE, NOW)
    assert dict(rows.groupby(TIME)["mean"].first()) == {DAYS[5]: 20.0, DAYS[6]: 11.0, DAYS[7]: 11.0, DAYS[8]: 11.0}


def test_a_period_waits_until_its_actuals_are_complete() -> None:
    late = Maturity(pd.Timedelta(days=2), 1.0)
    rows = match_newest(panel(), [made("2024-01-07", 11.0)], late, NOW)
    assert list(rows[TIME].unique()) == [DAYS[7]]


def test_a_period_without_enough_series_is_not_judged() -> None:
    short = panel(missing=("b", "2024-01-09"))
    forecasts = [made("2024-01-07", 11.0)]
    assert DAYS[8] not in set(match_newest(short, forecasts, AT_ONCE, NOW)[TIME])
    half = match_newest(short, forecasts, Maturity(pd.Timedelta(0), 0.5), NOW)
    assert list(half[half[TIME] == DAYS[8]][ID]) == ["a"]


def test_a_forecast_of_the_future_is_not_judged() -> None:
    assert len(match_newest(panel(), [made("2024-01-10", 11.0)], AT_ONCE, NOW)) == 0
    assert len(match_newest(panel(), [], AT_ONCE, NOW)) == 0


def test_windows_go_back_one_period_each_and_a_short_one_is_empty() -> None:
    rows = match_newest(panel(), [made("2024-01-07", 11.0)], AT_ONCE, NOW)
    spans = [[str(day.date()) for day in part[TIME].unique()] for part in last_windows(rows, 2, 3)]
    assert spans == [["2024-01-09", "2024-01-10"], ["2024-01-08", "2024-01-09"], []]
    assert [len(part) for part in last_windows(rows[:0], 2, 2)] == [0, 0]


def test_measures_are_those_of_the_backtest() -> None:
    rows = match_newest(panel(), [made("2024-01-07", 11.0)], AT_ONCE, NOW)
    found = measure_accuracy(rows, (0.1, 0.9))
    assert [found["wape"], found["bias"], found["coverage"]] == pytest.approx([0.1, 0.1, 1.0])
    assert set(measure_accuracy(rows[:0], (0.1, 0.9)).values()) == {None}


def test_each_lead_is_judged_by_itself() -> None:
    short = panel(missing=("b", "2024-01-09"))
    found = forecasts_by_lead(short, [made("2024-01-07", 11.0), made("2024-01-06", 20.0)], AT_ONCE, NOW)
    seen = {step: list(zip(part[TIME].dt.day, part["mean"], strict=True)) for step, part in found.items()}
    # The 9th lacks a series, as the second day after the 7th and as the third after the 6th.
    assert seen == {1: [(7, 20.0)] * 2 + [(8, 11.0)] * 2, 2: [(8, 20.0)] * 2, 3: [(10, 11.0)] * 2}


def test_a_lead_without_a_mature_period_is_there_without_rows() -> None:
    assert {step: len(part) for step, part in forecasts_by_lead(panel(), [made("2024-01-09", 11.0)], AT_ONCE, NOW).items()} == {
        1: 2, 2: 0, 3: 0,
    }  # fmt: skip
