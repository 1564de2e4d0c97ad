"""Computes metrics from rows of forecasts with actual values, over all rows or by the values of a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast import metrics
from mlspec.forecast.frame import ID, MEAN, TARGET
from mlspec.forecast.package_formulas import load_formula
from mlspec.forecast.quantiles import quantile_column
from mlspec.forecast.scales import MASE_SCALE, RMSSE_SCALE
from mlspec.models.metric import ScoredForecasts
from mlspec.spec.metrics import metrics_of_kind

# A column with more distinct values is not a grouping.
MOST_GROUPS = 50
_NO_SERIES = np.empty(0, dtype=object)  # mlspec's own formulas do not ask whose a row is


def score_rows(rows: pd.DataFrame, quantiles: Sequence[float] = (), of_packages: Sequence[str] = ()) -> metrics.Metrics:
    """Return every accuracy metric over the rows with an actual value; None for a metric that needs more quantiles.

    `of_packages` names metrics of packages that are measured too. Raises BrokenMetric if one of their formulas fails.
    """
    known = rows[TARGET].notna().to_numpy()
    with_quantiles = np.logical_and.reduce([known, *(rows[quantile_column(q)].notna().to_numpy() for q in quantiles)])
    means, levels = _to_arrays(rows, known, ()), _to_arrays(rows, with_quantiles, quantiles)
    scores = {
        metric.name: metrics.FORMULAS[metric.name](levels if metric.quantiles else means)
        if len(quantiles) >= metric.quantiles
        else None
        for metric in metrics_of_kind("accuracy")
    }
    for name in of_packages:
        formula = load_formula(name)
        needed = formula.loaded.metric.quantiles
        chosen, scored = (with_quantiles, levels) if needed else (known, means)
        whose = rows[ID].to_numpy(dtype=object)[chosen]
        scores[name] = formula(replace(scored, series=whose)) if len(quantiles) >= needed else None
    return scores


def _to_arrays(rows: pd.DataFrame, chosen: npt.NDArray[np.bool_], quantiles: Sequence[float]) -> ScoredForecasts:
    """Return the chosen rows as arrays. They are chosen column by column, which copies no other column."""
    return ScoredForecasts(
        actual=rows[TARGET].to_numpy()[chosen],
        mean=rows[MEAN].to_numpy()[chosen],
        mase_scale=rows[MASE_SCALE].to_numpy()[chosen],
        rmsse_scale=rows[RMSSE_SCALE].to_numpy()[chosen],
        quantiles={q: rows[quantile_column(q)].to_numpy()[chosen] for q in quantiles},
        series=_NO_SERIES,
    )


def nominal_coverage(quantiles: Sequence[float]) -> float | None:
    """Return the nominal share between the outermost quantiles, or None if there is only one quantile."""
    return round(quantiles[-1] - quantiles[0], 10) if len(quantiles) > 1 else None


def score_by_groups(
    rows: pd.DataFrame, groups: pd.DataFrame, quantiles: Sequence[float], of_packages: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return the metrics by each value of each column of `groups` (indexed by unique_id) with at most MOST_GROUPS values."""
    scored_groups = []
    for name in groups.columns:
        values = groups[name].fillna("").map(group_text)
        if values.nunique() > MOST_GROUPS:
            continue
        by_value = rows.groupby(rows[ID].map(values), sort=True)
        scored_groups += [
            {"column": str(name), "value": str(value), "metrics": score_rows(part, quantiles, of_packages)}
            for value, part in by_value
        ]
    return scored_groups


def group_text(value: Any) -> str:
    """Return a value of a column as it names a group: a whole number without a fraction."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
