"""What a fit of each candidate of `candidates: auto` costs, from which `mlspec.spec.candidate_costs` estimates a run.

Run: python benchmarks/candidate_costs.py [SERIES]. Fits and forecasts daily sales, once with a short history and once with a long
one, by one thread, and prints the seconds of the processor for one fit of one series: those of a fit, and those of each 1,000
periods. For trees, those of a row and a tree. The first fit of a kind compiles its code and is not counted.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

from mlspec.forecast.backtest import forecast_means
from mlspec.forecast.candidates import fit_candidate
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Layout, Panel, cross_periods
from mlspec.forecast.frequency import parse_frequency
from mlspec.jobs.runtime import single_threaded
from mlspec.spec.candidates import (
    AutoCes,
    AutoEts,
    Candidate,
    Croston,
    GradientBoosting,
    Mstl,
    Regression,
    SeasonalNaive,
    Theta,
)

SHORT, LONG, SEASON, HORIZON = 400, 1941, 7, 28
LOCAL: tuple[Candidate, ...] = (
    SeasonalNaive(kind="seasonal-naive"),
    Croston(kind="croston"),
    AutoEts(kind="auto-ets"),
    AutoCes(kind="auto-ces"),
    Theta(kind="theta"),
    Mstl(kind="mstl"),
    Regression(kind="regression"),
)
TREES = (
    GradientBoosting(kind="gradient-boosting"),
    GradientBoosting(kind="gradient-boosting", library="lightgbm"),
)


def make_panel(series: int, days: int) -> Panel:
    """Return daily sales with a week and promotions in them; more than half of the items' days have none."""
    generator, layout = np.random.default_rng(series), Layout(parse_frequency("D"), HORIZON, SEASON, known=("x_promo",))
    dates = pd.date_range("2020-01-01", periods=days + HORIZON)
    week = 1 + 0.35 * np.isin(dates.dayofweek, (4, 5)) - 0.15 * (dates.dayofweek == 1)
    level = generator.lognormal(-0.4, 1.0, series)[:, None]
    promo = generator.random((series, len(dates))) < 0.05
    units = generator.poisson(level * np.asarray(week) * np.where(promo, 2.0, 1.0))
    names = pd.Series([f"s{number:05}" for number in range(series)])
    rows = cross_periods(names, dates).assign(
        **{TARGET: units.ravel().astype("float64"), OBSERVED: True, "x_promo": promo.ravel().astype("float64")}
    )
    ahead = rows[TIME] > dates[days - 1]
    return Panel(
        rows[~ahead].reset_index(drop=True), pd.DataFrame({ID: names}),
        rows.loc[ahead, [ID, TIME, "x_promo"]].reset_index(drop=True), layout,
    )  # fmt: skip


def measure_seconds(candidate: Candidate, panel: Panel) -> float:
    """Return the seconds of the processor that a fit and its forecast take."""
    began = time.process_time()
    forecast_means(fit_candidate(candidate, panel, 1), panel, candidate.label)
    return time.process_time() - began


def main() -> None:
    """Measure each candidate, and print a line for it."""
    series = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    warm, short, long = (make_panel(count, days) for count, days in ((4, SHORT), (series, SHORT), (series, LONG)))
    print(f"{series} series of {SHORT} and {LONG} days")
    for candidate in LOCAL:
        measure_seconds(candidate, warm)
        of_short, of_long = (measure_seconds(candidate, panel) / series for panel in (short, long))
        slope = (of_long - of_short) / (LONG - SHORT) * 1000
        print(f"{candidate.kind:<18} {of_short * 1000:8.2f} ms, {of_long * 1000:8.2f} ms: "
              f"{(of_short - slope * SHORT / 1000) * 1000:8.2f} ms a fit, {slope * 1000:8.2f} ms for 1,000 periods")  # fmt: skip
    few = [candidate.model_copy(update={"iterations": 20}) for candidate in TREES]
    for candidate, other in zip(TREES, few, strict=True):
        measure_seconds(other, warm)
        all_trees, fewer = measure_seconds(candidate, long), measure_seconds(other, long)
        rows, trees = len(long.frame), candidate.iterations - other.iterations
        each = (all_trees - fewer) / trees / rows
        print(f"{candidate.library:<18} {each * 1e9:8.2f} ns for a row and a tree, "
              f"{(fewer - each * 20 * rows) / rows * 1e6:8.2f} µs for a row")  # fmt: skip


if __name__ == "__main__":
    with single_threaded():
        main()
