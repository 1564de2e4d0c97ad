"""Accuracy metrics of a team, for mlspec: docs/own-metric.md shows them at work.

The names stand in pyproject.toml, as entry points of the group `mlspec.metrics`. NumPy is imported where it is used, so that
checking a spec does not wait for it.
"""

from __future__ import annotations

from mlspec.models.metric import AccuracyMetric, ScoredForecasts

SHORTAGE, SURPLUS = 3.0, 1.0  # what a unit too few and a unit too many cost


def stock_cost(scored: ScoredForecasts) -> float | None:
    """Return what the errors cost for each unit of demand; None if there was no demand."""
    import numpy as np

    demand = np.abs(scored.actual).sum()
    missed = scored.actual - scored.mean
    cost = np.where(missed > 0, SHORTAGE * missed, -SURPLUS * missed).sum()
    return float(cost / demand) if demand else None


def wrmsse(scored: ScoredForecasts) -> float | None:
    """Return the RMSSE of the series, each by its share of the demand (Makridakis et al. 2022); None if none can be scaled."""
    import numpy as np

    usable = np.isfinite(scored.rmsse_scale) & (scored.rmsse_scale > 0)
    names, of_row = np.unique(scored.series[usable], return_inverse=True)
    squares = (scored.actual[usable] - scored.mean[usable]) ** 2 / scored.rmsse_scale[usable]
    errors = np.sqrt(np.bincount(of_row, squares, len(names)) / np.bincount(of_row, minlength=len(names)))
    weights = np.bincount(of_row, np.abs(scored.actual[usable]), len(names))
    return float((weights * errors).sum() / weights.sum()) if weights.sum() else None


STOCK_COST = AccuracyMetric(
    formula=stock_cost,
    title="stock cost",
    meaning="cost of a unit too few (3) or too many (1), over the sum of absolute actuals",
    unit="share",
)
WRMSSE = AccuracyMetric(
    formula=wrmsse, title="WRMSSE", meaning="RMSSE of the series, weighted by their share of the demand"
)
