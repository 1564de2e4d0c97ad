"""BigQuery."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.rules import Rules, matches

BIGQUERY = {
    "google_bigquery_dataset": Rules(
        id="projects/{project}/datasets/{dataset_id}",
        force_new=("dataset_id", "location", "external_dataset_reference"),
        defaults={"delete_contents_on_destroy": False, "location": "US"},
        computed={
            "self_link": "https://bigquery.googleapis.com/bigquery/v2/projects/{project}/datasets/{dataset_id}",
            "max_time_travel_hours": "168",
            "storage_billing_model": "LOGICAL",
            "is_case_insensitive": False,
        },
        kept={"access": []},
        patterns={"dataset_id": r"[0-9A-Za-z_]{1,1024}"},
        ranges={"default_table_expiration_ms": (3_600_000, float("inf")), "max_time_travel_hours": (48, 168)},
        held="googleapi: Error 400: Dataset {id} is still in use, resourceInUse",
        freed_by="delete_contents_on_destroy",
    ),
    "google_bigquery_table": Rules(
        id="projects/{project}/datasets/{dataset_id}/tables/{table_id}",
        force_new=(
            "dataset_id",
            "table_id",
            "encryption_configuration",
            "time_partitioning.type",
            "time_partitioning.field",
            "range_partitioning",
        ),
        force_new_if={"schema": checks.narrower},
        defaults={"deletion_protection": True, "ignore_auto_generated_schema": False},
        computed={
            "self_link": "https://bigquery.googleapis.com/bigquery/v2/projects/{project}/datasets/{dataset_id}/tables/{table_id}",
            "type": lambda facts: "VIEW" if facts("view") else "TABLE",
            "schema": "[]",
            "location": "",
        },
        enums={"time_partitioning.type": ("DAY", "HOUR", "MONTH", "YEAR")},
        conflicts=(("time_partitioning", "range_partitioning"), ("view", "materialized_view")),
        validate_checks=(checks.table_schema,),
        api_checks=(matches(table_id=r"[\w -]{1,1024}"), checks.table_schema, checks.table_view),
    ),
}
