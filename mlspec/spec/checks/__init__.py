"""What one field alone cannot tell: references, directions, calendars, addresses. Pure; every check returns problems.

One module a topic, each with small functions from a forecast to problems. A check runs only where the parts of the spec that it
looks at are valid, so that one pass says all that can be said and nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mlspec.spec.checks import alerts, dataset, deployment, gate, metadata, model, schedule, secrets, training
from mlspec.spec.faults import Problem
from mlspec.spec.forecast import Forecast

Check = Callable[[Forecast], Iterable[Problem]]

# Each check, and the parts of a spec that it looks at.
CHECKS: tuple[tuple[Check, tuple[str, ...]], ...] = (
    (metadata.labels, ("metadata",)),
    (dataset.source, ("dataset",)),
    (dataset.future, ("dataset",)),
    (dataset.frequency, ("dataset",)),
    (dataset.columns, ("dataset",)),
    (dataset.ranges, ("dataset",)),
    (dataset.contract, ("dataset",)),
    (model.quantiles, ("model",)),
    (model.candidates, ("model",)),
    (gate.gate, ("model",)),
    (training.cluster, ("training",)),
    (training.trees, ("model", "training")),
    (model.inventory, ("model", "inventory")),
    (schedule.crons, ("schedule",)),
    (schedule.timezone, ("schedule",)),
    (deployment.rollout, ("deployment",)),
    (deployment.replicas, ("deployment",)),
    (deployment.batch, ("deployment",)),
    (deployment.budget, ("budget",)),
    (alerts.thresholds, ("alerts",)),
    (alerts.intervals, ("alerts", "model")),
    (alerts.names, ("alerts",)),
    (alerts.segments, ("alerts", "dataset")),
    (alerts.circles, ("alerts",)),
    (alerts.rollbacks, ("alerts", "rollback")),
    (alerts.receivers, ("notify",)),
    (secrets.secrets, ()),
)

# Stands in for a required part that is not valid, so that the others can be looked at.
STAND_INS: dict[str, Any] = {
    "apiVersion": "mlspec/v1",
    "kind": "Forecast",
    "metadata": {"name": "x"},
    "dataset": {"source": {"uri": "x.csv"}, "time": "t", "target": "y", "frequency": "D"},
    "model": {"horizon": 1},
}


def check(forecast: Forecast, invalid: frozenset[str] = frozenset()) -> list[Problem]:
    """Return every problem of a forecast, leaving out what looks at a part that is `invalid`."""
    return [problem for each, parts in CHECKS if invalid.isdisjoint(parts) for problem in each(forecast)]
