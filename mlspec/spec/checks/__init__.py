"""Checks that need more than one field: references, directions, calendars, addresses. Pure; every check returns problems.

There is one module for each topic, with small functions from a forecast to problems. A check runs only if the parts of the spec
that it reads are valid, so that one run reports every problem, and none twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mlspec.spec.checks import (
    alerts,
    dataset,
    deployment,
    gate,
    hierarchy,
    inventory,
    metadata,
    model,
    schedule,
    secrets,
    table_keys,
    training,
)
from mlspec.spec.faults import Problem
from mlspec.spec.forecast import Forecast

Check = Callable[[Forecast], Iterable[Problem]]

# Each check, and the parts of a spec that it reads.
CHECKS: tuple[tuple[Check, tuple[str, ...]], ...] = (
    (metadata.check_labels, ("metadata",)),
    (dataset.check_source, ("dataset",)),
    (dataset.check_future, ("dataset",)),
    (table_keys.check_source_keys, ("dataset",)),
    (table_keys.check_plan_keys, ("dataset",)),
    (table_keys.check_event_keys, ("dataset",)),
    (table_keys.check_layout, ("dataset",)),
    (dataset.check_frequency, ("dataset",)),
    (dataset.check_timezone, ("dataset",)),
    (dataset.check_calendar, ("dataset",)),
    (dataset.check_events, ("dataset",)),
    (dataset.check_columns, ("dataset",)),
    (dataset.check_ended_series, ("dataset",)),
    (hierarchy.check_hierarchy, ("dataset",)),
    (hierarchy.check_reconcile_windows, ("dataset", "model")),
    (dataset.check_ranges, ("dataset",)),
    (dataset.check_contract, ("dataset",)),
    (model.check_quantiles, ("model",)),
    (model.check_candidates, ("model",)),
    (model.check_ranking, ("model",)),
    (model.check_custom_columns, ("dataset", "model")),
    (gate.check_gate, ("model",)),
    (training.check_cluster, ("training",)),
    (training.check_trees, ("model", "training")),
    (inventory.check_inventory, ("model", "inventory")),
    (inventory.check_terms, ("dataset", "inventory")),
    (schedule.check_crons, ("schedule",)),
    (schedule.check_timezone, ("schedule",)),
    (schedule.check_deadline, ("schedule",)),
    (deployment.check_rollout, ("deployment",)),
    (deployment.check_replicas, ("deployment",)),
    (deployment.check_batch_machine, ("deployment",)),
    (deployment.check_allowed_projects, ("deployment",)),
    (deployment.check_private_endpoint, ("deployment", "alerts")),
    (deployment.check_budget, ("budget",)),
    (alerts.check_thresholds, ("alerts",)),
    (alerts.check_alert_quantiles, ("alerts", "model")),
    (alerts.check_alert_names, ("alerts",)),
    (alerts.check_segments, ("alerts", "dataset")),
    (alerts.check_inhibit_circles, ("alerts",)),
    (alerts.check_rollback_alerts, ("alerts", "rollback")),
    (alerts.check_receivers, ("notify",)),
    (secrets.check_secrets, ()),
)

# Replaces a required part that is not valid, so that the other parts can be checked.
STAND_INS: dict[str, Any] = {
    "apiVersion": "mlspec/v1",
    "kind": "Forecast",
    "metadata": {"name": "x"},
    "dataset": {"source": {"uri": "x.csv"}, "time": "t", "target": "y", "frequency": "D"},
    "model": {"horizon": 1},
}


def run_checks(forecast: Forecast, invalid: frozenset[str] = frozenset()) -> list[Problem]:
    """Return every problem of a forecast. Checks that read an `invalid` part are left out."""
    return [problem for spec_check, parts in CHECKS if invalid.isdisjoint(parts) for problem in spec_check(forecast)]
