"""The range of each metric, and the sides on which it is bad: one table for the gate's rules, the alerts and the documents.

Formulas: Hyndman & Koehler 2006 (MASE), Makridakis et al. 2022 (RMSSE, weighted pinball loss), Kolassa & Schuetz 2007 (WAPE);
PSI and the Kolmogorov-Smirnov distance compare two distributions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlspec.spec.faults import ProblemAndHint


@dataclass(frozen=True, slots=True)
class Metric:
    """The values from `low` to `high` that a metric can take, the `sides` on which it is bad, and the quantiles it needs.

    `ideal` is True if both too low and too high are bad: then `within` measures the distance from the ideal value between them.
    """

    low: float
    high: float
    sides: tuple[str, ...]
    quantiles: int = 0
    ideal: bool = False


# A relative error above this (ten times the demand) was probably written in percent.
_RELATIVE = 10.0
_ANY = math.inf
METRICS: dict[str, Metric] = {
    "wape": Metric(0, _RELATIVE, ("above",)),
    "mase": Metric(0, _ANY, ("above",)),
    "rmsse": Metric(0, _ANY, ("above",)),
    "bias": Metric(-_RELATIVE, _RELATIVE, ("outside",), ideal=True),
    "pinball": Metric(0, _ANY, ("above",), quantiles=1),
    "coverage": Metric(0, 1, ("below", "outside"), quantiles=2, ideal=True),
    "psi": Metric(0, _ANY, ("above",)),
    "ks": Metric(0, 1, ("above",)),
    "data_age": Metric(0, _ANY, ("above",)),
    "volume": Metric(0, _ANY, ("below", "outside")),
    "new_series": Metric(0, _ANY, ("above",)),
    "vanished_series": Metric(0, _ANY, ("above",)),
    "error_rate": Metric(0, 1, ("above",)),
    "latency": Metric(0, 10.0, ("above",)),  # seconds: the last bound of the histogram
}


def number_problem(name: str, number: float) -> ProblemAndHint | None:
    """Return why a metric can never be this number, with a hint; None if it can."""
    metric = METRICS[name]
    if metric.low <= number <= metric.high:
        return None
    if metric.high == 1:
        return f"{number:g}: {name} is a share between 0 and 1", "write 0.7 for 70 %"
    if number < metric.low and metric.low == 0:
        return f"{number:g}: {name} is never negative", "write a number above 0"
    if name == "latency":
        return f"{number:g}: latency is measured up to {metric.high:g} seconds", "write seconds, such as 0.5"
    return (
        f"{number:g}: {name} is relative to the demand: this would be {number:.0%}",
        f"write {number / 100:g} for {number:g} %",
    )


def edge_problem(name: str, side: str, number: float) -> ProblemAndHint | None:
    """Return why a threshold can never be passed, with a hint; None if it can."""
    metric = METRICS[name]
    if side == "above" and number >= metric.high:
        return f"{name} is never above {number:g}", "write a lower value"
    if side == "below" and number <= metric.low:
        return f"{name} is never below {number:g}", "write a higher value"
    return None
