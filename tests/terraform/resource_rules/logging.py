"""Cloud Logging."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.rules import Rules, matches

LOGGING = {
    "google_logging_metric": Rules(
        id="{name}",
        force_new=("name",),
        defaults={"metric_descriptor.unit": "1", "metric_descriptor.labels.value_type": "STRING"},
        kept={"metric_descriptor": [{"metric_kind": "DELTA", "value_type": "INT64", "unit": "1", "labels": []}]},
        enums={
            "metric_descriptor.value_type": ("BOOL", "INT64", "DOUBLE", "STRING", "DISTRIBUTION", "MONEY"),
            "metric_descriptor.metric_kind": ("DELTA", "GAUGE", "CUMULATIVE"),
            "metric_descriptor.labels.value_type": ("BOOL", "INT64", "STRING"),
        },
        api_checks=(checks.logging_metric, matches(name=r"(?!/)[A-Za-z0-9_.,+!*',()%/-]{1,100}")),
    ),
    "google_logging_project_bucket_config": Rules(
        id="projects/{project}/locations/{location}/buckets/{bucket_id}",
        force_new=("bucket_id", "location"),
        defaults={"retention_days": 30},
        computed={"name": "{id}", "lifecycle_state": "ACTIVE", "description": ""},
        ranges={"retention_days": (1, 3650)},
        # Every project has the two buckets _Default and _Required: the provider takes them over.
        adopts=True,
    ),
    "google_logging_project_sink": Rules(
        id="projects/{project}/sinks/{name}",
        force_new=("name",),
        defaults={"unique_writer_identity": True, "disabled": False},
        computed={"writer_identity": "serviceAccount:service-{number}@gcp-sa-logging.iam.gserviceaccount.com"},
        api_checks=(
            matches(
                destination=r"(storage|bigquery|pubsub|logging)\.googleapis\.com/\S+", name=r"[A-Za-z0-9_.-]{1,100}"
            ),
        ),
    ),
    "google_logging_project_exclusion": Rules(id="projects/{project}/exclusions/{name}", force_new=("name",)),
}
