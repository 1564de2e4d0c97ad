"""Computes metrics from rows of forecasts with actual values, over all rows or by the values of a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast import metrics
from mlspec.forecast.frame import ID, MEAN, TARGET
from mlspec.forecast.quantiles import quantile_column
from mlspec.forecast.scales import MASE_SCALE, RMSSE_SCALE
from mlspec.spec.metrics import metrics_of_kind

# A column with more distinct values is not a grouping.
MOST_GROUPS = 50


def score_rows(rows: pd.DataFrame, quantiles: Sequence[float] = ()) -> metrics.Metrics:
    """Return every accuracy metric over the rows with an actual value; None for a metric that needs more quantiles."""
    known = rows[TARGET].notna().to_numpy()
    with_quantiles = np.logical_and.reduce([known, *(rows[quantile_column(q)].notna().to_numpy() for q in quantiles)])
    means, levels = _to_arrays(rows, known, ()), _to_arrays(rows, with_quantiles, quantiles)
    return {
        metric.name: metrics.FORMULAS[metric.name](levels if metric.quantiles else means)
        if len(quantiles) >= metric.quantiles
        else None
        for metric in metrics_of_kind("accuracy")
    }


def _to_arrays(
    rows: pd.DataFrame, chosen: npt.NDArray[np.bool_], quantiles: Sequence[float]
) -> metrics.ScoredForecasts:
    """Return the chosen rows as arrays. They are chosen column by column, which copies no other column."""
    return metrics.ScoredForecasts(
        actual=rows[TARGET].to_numpy()[chosen],
        mean=rows[MEAN].to_numpy()[chosen],
        mase_scale=rows[MASE_SCALE].to_numpy()[chosen],
        rmsse_scale=rows[RMSSE_SCALE].to_numpy()[chosen],
        quantiles={q: rows[quantile_column(q)].to_numpy()[chosen] for q in quantiles},
    )


def nominal_coverage(quantiles: Sequence[float]) -> float | None:
    """Return the nominal share between the outermost quantiles, or None if there is only one quantile."""
    return round(quantiles[-1] - quantiles[0], 10) if len(quantiles) > 1 else None


def score_by_groups(rows: pd.DataFrame, groups: pd.DataFrame, quantiles: Sequence[float]) -> list[dict[str, Any]]:
    """Return the metrics by each value of each column of `groups` (indexed by unique_id) with at most MOST_GROUPS values."""
    scored_groups = []
    for name in groups.columns:
        values = groups[name].fillna("").map(group_text)
        if values.nunique() > MOST_GROUPS:
            continue
        by_value = rows.groupby(rows[ID].map(values), sort=True)
        scored_groups += [
            {"column": str(name), "value": str(value), "metrics": score_rows(part, quantiles)}
            for value, part in by_value
        ]
    return scored_groups


def group_text(value: Any) -> str:
    """Return a value of a column as it names a group: a whole number without a fraction."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
