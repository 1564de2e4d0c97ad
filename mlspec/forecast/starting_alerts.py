"""The alerts that a new spec begins with. They name a rate of false alarms, and no thresholds: those come from the first backtest."""

from __future__ import annotations

from typing import Any

from mlspec.forecast.drift import FEWEST_BINS, PER_BIN
from mlspec.spec.metrics import METRICS

# Of each alert. With three of them a forecast to which nothing happens has three false alarms in two years, less than one a half-year.
FALSE_ALARMS_PER_YEAR = 0.5
# Blocks of one window that the backtest should have: with eight, the limit lies about three standard deviations above the mean.
BLOCKS = 8
_DRIFT = METRICS["psi"]


def starting_alerts(tested: int, series: int) -> list[dict[str, Any]]:
    """Return the entries of `alerts`, for a backtest of so many periods in all its windows, and for so many series.

    Drift needs enough values in its window to have a distribution: without them it would never have a verdict, and is left out.
    """
    window = max(tested // BLOCKS, 1)
    errors = [{"name": "accuracy", "metric": "wape", "window": window}, {"name": "bias", "metric": "bias", "window": window}]
    drift = [{"name": "drift", "metric": _DRIFT.name}] if series * _DRIFT.usual_window >= FEWEST_BINS * PER_BIN else []
    return [{**alert, "false_alarms_per_year": FALSE_ALARMS_PER_YEAR} for alert in (*errors, *drift)]
