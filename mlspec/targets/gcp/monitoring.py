"""Writes mlspec's metrics to Cloud Monitoring. Alert policies that are rendered from the same spec evaluate them.

`infra/monitoring.tf` creates the metrics. A call accepts at most 200 series, each with one point
(https://cloud.google.com/monitoring/quotas#custom_metrics_quotas).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mlspec.state.point import MetricPoint
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries

METRIC = "custom.googleapis.com/mlspec/{kind}"
_MOST = 200


def write_metrics(clients: Clients, forecast: str, points: Sequence[MetricPoint], at: str) -> None:
    """Write the points of one evaluation at `at` (RFC 3339). Raises TargetError if Cloud Monitoring refuses them."""
    for part in _in_batches(points):
        series = [_time_series(clients, forecast, point, at) for point in part]
        call_with_retries(
            lambda series=series: clients.monitoring.create_time_series(  # type: ignore[misc]
                name=f"projects/{clients.project}", time_series=series, retry=None, timeout=TIMEOUT
            ),
            f"write the metrics of {forecast}",
        )


def _in_batches(points: Sequence[MetricPoint]) -> list[Sequence[MetricPoint]]:
    return [points[begin : begin + _MOST] for begin in range(0, len(points), _MOST)]


def _time_series(clients: Clients, forecast: str, point: MetricPoint, at: str) -> dict[str, Any]:
    labels = {"forecast": forecast, "alert": point.alert, "segment": point.segment}
    resource = {
        "project_id": clients.project, "location": clients.region, "namespace": "mlspec", "job": forecast, "task_id": "evaluate",
    }  # fmt: skip
    return {
        "metric": {"type": METRIC.format(kind=point.kind), "labels": labels},
        "resource": {"type": "generic_task", "labels": resource},
        "points": [{"interval": {"end_time": datetime.fromisoformat(at)}, "value": {"double_value": point.value}}],
    }
