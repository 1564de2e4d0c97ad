"""What Google's APIs refuse because of what is there, or was: metrics that do not exist, ids that stay taken after a deletion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.terraform.provider.cloud import Cloud
from tests.terraform.provider.values import Values, each

PLATFORM = Path(__file__).resolve().parents[2] / "infra" / "monitoring.tf"
# Types whose id cannot be used again for a while after a deletion, with the page that says so.
RESERVED = {
    "google_iam_workload_identity_pool": "30 days: cloud.google.com/iam/docs/manage-workload-identity-pools-providers#delete-pool",
    "google_iam_workload_identity_pool_provider": "30 days: the same page",
    "google_vertex_ai_endpoint": "7 days: cloud.google.com/vertex-ai/docs/predictions/private-service-connect, Limitations",
}


@cache
def platform_metrics() -> frozenset[str]:
    """Return the metrics that `infra/` makes, before any forecast."""
    return frozenset(re.findall(r'type\s+= "(custom\.googleapis\.com/[^"]+)"', PLATFORM.read_text()))


def missing_metrics(kind: str, values: Values, cloud: Cloud) -> Iterator[str]:
    """Yield the metrics of a project's own that an alert policy names and nobody has made.

    Source: github.com/hashicorp/terraform-provider-google/issues/11102.
    """
    if kind != "google_monitoring_alert_policy":
        return
    resources = cloud.resources()
    known = set(platform_metrics())
    known |= {one.values["type"] for one in resources if one.type == "google_monitoring_metric_descriptor"}
    known |= {
        f"logging.googleapis.com/user/{one.values['name']}" for one in resources if one.type == "google_logging_metric"
    }
    for text in each(values, "conditions.condition_threshold.filter"):
        for metric in re.findall(r'metric\.type\s*=\s*"([^"]+)"', text):
            if metric.startswith(("custom.googleapis.com/", "logging.googleapis.com/user/")) and metric not in known:
                yield metric


def refusal(kind: str, operation: str, id_: str, values: Values, cloud: Cloud) -> str | None:
    """Return the API's words where what is there, or was, forbids a change; None where it does not."""
    if operation == "create" and kind in RESERVED and ("delete", kind, id_) in cloud.log():
        return "googleapi: Error 409: Requested entity already exists, alreadyExists"
    metric = next(missing_metrics(kind, values, cloud), None)
    if metric is None:
        return None
    return (
        f'googleapi: Error 404: Cannot find metric(s) that match type = "{metric}". If a metric was created recently, it could take'
        " up to 10 minutes to become available. Please try again soon."
    )
