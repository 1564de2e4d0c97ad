"""Checks of the levels of a hierarchy."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.spec.checks.metrics import FEWEST_WITH_OTHERS
from mlspec.spec.faults import Path, Problem, did_you_mean_column
from mlspec.spec.forecast import Forecast
from mlspec.spec.hierarchy import BOTTOM_UP, SERIES, TOTAL, Hierarchy
from mlspec.spec.output_columns import is_level_column, is_output_column

_HIERARCHY: Path = ("dataset", "hierarchy")


def check_hierarchy(forecast: Forecast) -> Iterator[Problem]:
    """Levels are series or static columns, each named once, and their names are free."""
    dataset = forecast.dataset
    columns = dataset.segment_columns
    path = (*_HIERARCHY, "levels") if isinstance(dataset.hierarchy, Hierarchy) else _HIERARCHY
    for index, name in enumerate(dataset.hierarchy_columns):
        if name not in columns:
            hint = did_you_mean_column(name, columns) or "name it in dataset.series or covariates.static"
            yield Problem((*path, index), "reference", f"'{name}' is not a series or static column", hint)
        elif name in dataset.hierarchy_columns[:index]:
            yield Problem((*path, index), "hierarchy", f"{name} is a level already", "name each level once")
        elif name in (TOTAL, SERIES) or is_output_column(name) or is_level_column(name):
            message = f"'{name}' is a word of mlspec's own in the table of levels"
            yield Problem((*path, index), "column-reserved", message, "rename the column in the data")
    if dataset.reconcile != BOTTOM_UP and not dataset.levels:
        message = "there is one series, and no level above it"
        yield Problem((*_HIERARCHY, "reconcile"), "hierarchy", message, "name the series columns, or drop this")


def check_reconcile_windows(forecast: Forecast) -> Iterator[Problem]:
    """Levels that are reconciled need two windows of the backtest: each is corrected by the errors of the others."""
    if forecast.dataset.reconcile != BOTTOM_UP and forecast.model.backtest.windows < FEWEST_WITH_OTHERS:
        message = (
            "each window of the backtest is corrected by the errors of the others, and model.backtest.windows is 1"
        )
        hint = f"write model.backtest.windows: {FEWEST_WITH_OTHERS} or more"
        yield Problem((*_HIERARCHY, "reconcile"), "hierarchy", message, hint)
