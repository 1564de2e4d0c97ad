"""The alerts that a new spec begins with: each fires beyond a size that matters, and beyond what is usual for this forecast.

What is usual is told by the first backtest, and by past demand. So the entries name a rate of false alarms, and `init` needs to
know no threshold that would differ from one forecast to another.
"""

from __future__ import annotations

from typing import Any

from mlspec.forecast.drift import FEWEST_BINS, PER_BIN
from mlspec.spec.metrics import METRICS

# Of each alert: once in four years. A backtest covers no whole year, so holidays that it lacks come on top (decision 28).
FALSE_ALARMS_PER_YEAR = 0.25
# The share of demand below which an error or a bias is no reason to call anybody, however unusual it is. Our own choice.
NEGLIGIBLE = 0.1
# Blocks of one window that the backtest should have: with eight, the limit lies about four standard deviations above the mean.
BLOCKS = 8
_DRIFT = METRICS["psi"]


def starting_alerts(tested: int, series: int) -> list[dict[str, Any]]:
    """Return the entries of `alerts`, for a backtest of so many periods in all its windows, and for so many series.

    Drift needs enough values in its window to have a distribution: without them it would never have a verdict, and is left out.
    While accuracy fires the others send no notices: one event is told once.
    """
    window = max(tested // BLOCKS, 1)
    rate: dict[str, Any] = {"false_alarms_per_year": FALSE_ALARMS_PER_YEAR}
    bias: dict[str, Any] = {
        "name": "bias",
        "metric": "bias",
        "outside": [-NEGLIGIBLE, NEGLIGIBLE],
        "window": window,
        **rate,
    }
    drift: dict[str, Any] = {"name": "drift", "metric": _DRIFT.name, "above": _DRIFT.usual_above, **rate}
    others = [bias, drift] if series * _DRIFT.usual_window >= FEWEST_BINS * PER_BIN else [bias]
    accuracy: dict[str, Any] = {"name": "accuracy", "metric": "wape", "above": NEGLIGIBLE, "window": window, **rate}
    return [{**accuracy, "inhibits": [other["name"] for other in others]}, *others]
