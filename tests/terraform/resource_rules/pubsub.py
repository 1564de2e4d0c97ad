"""Pub/Sub."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.rules import Rules, durations, matches

PUBSUB_NAME = r"(?!goog)[A-Za-z][A-Za-z0-9_.~+%-]{2,254}"


PUBSUB = {
    "google_pubsub_schema": Rules(
        id="projects/{project}/schemas/{name}",
        force_new=("name",),
        defaults={"type": "TYPE_UNSPECIFIED"},
        computed={"revision_id": "{hash}"},
        enums={"type": ("TYPE_UNSPECIFIED", "PROTOCOL_BUFFER", "AVRO")},
        api_checks=(matches(name=PUBSUB_NAME),),
    ),
    "google_pubsub_topic": Rules(
        id="projects/{project}/topics/{name}",
        force_new=("name", "tags"),
        kept={"message_storage_policy": [], "schema_settings": []},
        enums={"schema_settings.encoding": ("ENCODING_UNSPECIFIED", "JSON", "BINARY")},
        api_checks=(matches(name=PUBSUB_NAME), durations(600, 2_678_400, "message_retention_duration")),
    ),
    "google_pubsub_subscription": Rules(
        id="projects/{project}/subscriptions/{name}",
        force_new=("name", "topic", "filter", "enable_message_ordering", "tags"),
        defaults={"message_retention_duration": "604800s"},
        computed={
            "ack_deadline_seconds": 10,
            "retry_policy.minimum_backoff": "10s",
            "retry_policy.maximum_backoff": "600s",
        },
        kept={"expiration_policy": [{"ttl": "2678400s"}]},
        conflicts=(("bigquery_config", "push_config", "cloud_storage_config"),),
        api_checks=(
            checks.subscription,
            matches(name=PUBSUB_NAME),
            durations(600, 2_678_400, "message_retention_duration"),
            durations(0, 600, "retry_policy.minimum_backoff", "retry_policy.maximum_backoff"),
        ),
    ),
}
