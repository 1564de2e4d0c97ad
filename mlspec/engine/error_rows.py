"""The errors of a forecast, realised and in the backtest, in order and as rows, for the command line and the Python API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlspec.engine.error_request import error_request
from mlspec.engine.rows import PlainRows
from mlspec.errors import UsageError
from mlspec.plan.natural_order import natural_key
from mlspec.plan.select import recorded_name
from mlspec.spec.metrics import MAIN, Metric, accuracy_metrics
from mlspec.state.error_grouping import ErrorGrouping
from mlspec.state.step import StepRequest
from mlspec.targets.base import Target

SIDES = ("realised", "backtest")
_VALUES = "values"  # beside the metrics of a side: how many values were scored
ErrorComparison = Callable[
    [StepRequest, ErrorGrouping, str | None], tuple[list[str], list[dict[str, Any]]]
]  # jobs.realised_errors.compare_errors


@dataclass(frozen=True, slots=True)
class ErrorsRequest:
    """Whose errors are asked for, by what, and at which moment (RFC 3339). `cutoff` narrows them to forecasts made from it."""

    name: str
    by: ErrorGrouping
    cutoff: str | None
    now: str
    root: Path


def load_errors(
    target: Target, request: ErrorsRequest, compare: ErrorComparison
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the names of the key columns, and a row for each key with `realised` and `backtest`, in order.

    Raises UsageError for an unknown name, or if there is nothing to measure.
    """
    name = recorded_name(request.name, target.forecast_names())
    columns, found = compare(error_request(target, name, request.now, request.root), request.by, request.cutoff)
    if not any(row[side] for row in found for side in SIDES):
        raise UsageError(
            f"no forecast of {name} with actual values was made from '{request.cutoff}'"
            if request.cutoff
            else f"{name} has no errors yet",
            hint=f"leave out --cutoff, or see `mlspec forecast {name}` for the cutoff of the newest forecast",
        )
    return columns, sorted(found, key=lambda row: _order(row, columns, request.by))


def _order(row: Mapping[str, Any], columns: Sequence[str], by: ErrorGrouping) -> tuple[Any, ...]:
    """Return the sort key: by periods ahead, else the worst realised error first, then the worst of the backtest, then by key."""
    keys = tuple(natural_key(row[column]) for column in columns)
    worst = () if by in ("all", "horizon") else tuple(-_main(row[side]) for side in SIDES)
    return (row["segment"] if by == "segment" else "", worst, keys)


def _main(metrics: Mapping[str, Any] | None) -> float:
    value = (metrics or {}).get(MAIN.name)
    return -1.0 if value is None else float(value)


def measured_metrics(found: Sequence[Mapping[str, Any]]) -> tuple[Metric, ...]:
    """Return the metrics that rows of errors have, mlspec's own first."""
    sides = [dict(row[side] or {}) for row in found for side in SIDES]
    for side in sides:
        side.pop(_VALUES, None)
    return accuracy_metrics(sides)


def error_rows(found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> PlainRows:
    """Return a column for each key, and for each metric one of what is realised and one of the backtest; then how many values."""
    metrics = [metric.name for metric in measured_metrics(found)]
    names = [(side, metric) for metric in (*metrics, _VALUES) for side in SIDES]
    values = [
        [*(row[column] for column in columns), *((row[side] or {}).get(key) for side, key in names)] for row in found
    ]
    return PlainRows([*columns, *(f"{side}_{metric}" for side, metric in names)], values)
