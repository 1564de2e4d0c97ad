"""Numbers that a metric can be: what the gate's rules and the alerts' thresholds have in common."""

from __future__ import annotations

import math

from mlspec.spec.faults import ProblemAndHint
from mlspec.spec.forecast import Model
from mlspec.spec.metrics import find_metric

FEWEST_WITH_OTHERS = 2  # windows of a backtest, where each is judged by what the others tell


def number_problem(name: str, number: float) -> ProblemAndHint | None:
    """Return why a metric can never be this number, with a hint; None if it can."""
    metric = find_metric(name)
    if metric.low <= number <= metric.high:
        return None
    if metric.package:
        most = f" to {metric.high:g}" if metric.high < math.inf else " or more"
        return f"{number:g}: {name} is {metric.low:g}{most}", "write a number that it can be"
    if metric.high == 1:
        return f"{number:g}: {name} is a share between 0 and 1", "write 0.7 for 70 %"
    if number < metric.low and metric.low == 0:
        return f"{number:g}: {name} is never negative", "write a number above 0"
    if metric.unit == "seconds":
        return f"{number:g}: {name} is measured up to {metric.high:g} seconds", "write seconds, such as 0.5"
    return (
        f"{number:g}: {name} is relative to the demand: this would be {number:.0%}",
        f"write {number / 100:g} for {number:g} %",
    )


def edge_problem(name: str, side: str, number: float) -> ProblemAndHint | None:
    """Return why a threshold can never be passed, with a hint; None if it can."""
    metric = find_metric(name)
    if side == "above" and number >= metric.high:
        return f"{name} is never above {number:g}", "write a lower value"
    if side == "below" and number <= metric.low:
        return f"{name} is never below {number:g}", "write a higher value"
    return None


def backtest_problem(name: str, model: Model) -> ProblemAndHint | None:
    """Return why a backtest cannot measure a metric, with a hint; None if it can."""
    if problem := quantiles_problem(name, len(model.quantiles)):
        return problem
    if find_metric(name).quantiles and model.backtest.windows < FEWEST_WITH_OTHERS:
        message = (
            f"{name} is measured on quantiles, and a backtest of one window has none: they are errors of other windows"
        )
        return message, f"write model.backtest.windows: {FEWEST_WITH_OTHERS} or more"
    return None


def quantiles_problem(name: str, count: int) -> ProblemAndHint | None:
    """Return why a metric cannot be measured with so many quantiles, with a hint; None if it can."""
    needed = find_metric(name).quantiles
    if count >= needed:
        return None
    message = f"{name} needs {needed} quantiles or more, and there {'is' if count == 1 else 'are'} {count}"
    return message, "add them to model.quantiles"
