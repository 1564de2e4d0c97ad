"""What the step `check` says of values that look wrong: outliers, and zeros that look like a stock-out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlspec.forecast.frame import Panel
from mlspec.forecast.outliers import describe_outliers, find_outliers, list_outliers
from mlspec.forecast.regular import hide_values
from mlspec.forecast.stockouts import describe_stockouts, find_stockouts, list_stockouts
from mlspec.spec.dataset import Dataset


@dataclass(frozen=True)
class OddValues:
    """The facts of values that look wrong, and the sentences that say so."""

    facts: dict[str, Any]
    notes: list[str]


def judge_values(panel: Panel, dataset: Dataset) -> tuple[Panel, OddValues]:
    """Return the panel, without its outliers if the dataset says so, and what was found."""
    stockouts, outliers = find_stockouts(panel), find_outliers(panel)
    frequency, handling = panel.layout.frequency, dataset.outliers
    facts = {
        "outliers": list_outliers(outliers, frequency, handling),
        "stockouts": list_stockouts(stockouts, frequency),
    }
    notes = [*describe_outliers(outliers, frequency, handling), *describe_stockouts(stockouts, frequency)]
    if handling == "replace" and len(outliers):
        panel = hide_values(panel, outliers)
    return panel, OddValues(facts, notes)
