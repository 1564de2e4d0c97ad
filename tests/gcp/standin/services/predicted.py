"""What Vertex AI counts of an endpoint's requests, written to Monitoring as it does: responses by class, and how long they took.

See https://cloud.google.com/monitoring/api/metrics_gcp_a_b#gcp-aiplatform.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from typing import Any

from google.cloud.monitoring_v3.types import TimeSeries

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.services.metrics import Metrics

# Bounds of buckets, in milliseconds: each a factor wider than the one before, as those of latencies are.
SCALE, FACTOR, FINITE = 1.0, 1.4, 40
_BOUNDS = [SCALE * FACTOR**power for power in range(FINITE + 1)]
_ONLINE = "aiplatform.googleapis.com/prediction/online"
_MINUTE = timedelta(minutes=1)


def count(
    cloud: Cloud, *, endpoint: str, deployed: str, at: str, responses: dict[str, int], milliseconds: list[float]
) -> None:
    """Count a minute up to `at` (ISO 8601) of a deployed model: how many responses of each class (`2xx`), and their times."""
    _, project, _, location, _, number = endpoint.split("/")
    resource = {
        "type": "aiplatform.googleapis.com/Endpoint",
        "labels": {"resource_container": project, "location": location, "endpoint_id": number},
    }
    metrics = cloud.service(Metrics)

    def write(metric: str, value: dict[str, Any], **labels: str) -> None:
        end = datetime.fromisoformat(at)
        point = {"interval": {"start_time": end - _MINUTE, "end_time": end}, "value": value}
        named = {"type": f"{_ONLINE}/{metric}", "labels": {"deployed_model_id": deployed, **labels}}
        metrics.count(f"projects/{project}", TimeSeries.pb(TimeSeries(metric=named, resource=resource, points=[point])))

    for code, number_of in responses.items():
        write("response_count", {"int64_value": number_of}, response_code=code)
    for kind, factor in (("total", 1.0), ("overhead", 0.1), ("model", 0.9)):
        write(
            "prediction_latencies",
            {"distribution_value": _distribution([each * factor for each in milliseconds])},
            latency_type=kind,
        )


def _distribution(values: list[float]) -> dict[str, Any]:
    counts = [0] * (FINITE + 2)
    for each in values:
        counts[bisect_left(_BOUNDS, each)] += 1
    options = {"num_finite_buckets": FINITE, "growth_factor": FACTOR, "scale": SCALE}
    return {"count": len(values), "bucket_options": {"exponential_buckets": options}, "bucket_counts": counts}
