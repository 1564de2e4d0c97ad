"""The versions of a forecast as rows."""

from __future__ import annotations

from mlspec.engine.history_json import version_state
from mlspec.engine.rows import PlainRows
from mlspec.plan.select import recorded_name
from mlspec.plan.serving import observed_traffic
from mlspec.spec.metrics import accuracy_metrics
from mlspec.targets.base import Target


def version_rows(target: Target, name: str) -> PlainRows:
    """Return all versions, newest first, each with its metrics in the backtest and its share of traffic in percent."""
    recorded_name(name, target.forecast_names())
    observed = target.observe_forecast(name)
    traffic, bad = observed_traffic(observed), observed.ledger.quarantined_versions
    versions = target.load_versions(name)
    metrics = [metric.name for metric in accuracy_metrics(version.metrics for version in versions)]
    rows = [
        [
            version.version, version.created, version.candidate, version_state(version, bad), traffic.get(version.version, 0),
            *(version.metrics.get(metric) for metric in metrics), version.lineage.get("data_version"),
        ]
        for version in versions
    ]  # fmt: skip
    columns = ["version", "created", "candidate", "state", "traffic", *metrics, "data_version"]
    return PlainRows(columns, rows, frozenset({"created"}))
