"""Cloud Monitoring."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.rules import Rules, matches

MONITORING = {
    "google_monitoring_notification_channel": Rules(
        id="{name}",
        force_new=("type",),
        defaults={"enabled": True, "force_delete": False},
        computed={"name": "projects/{project}/notificationChannels/{serial}", "verification_status": ""},
        sensitive=("sensitive_labels.auth_token", "sensitive_labels.password", "sensitive_labels.service_key"),
        api_checks=(checks.notification_channel,),
        server_named=True,
    ),
    "google_monitoring_alert_policy": Rules(
        id="{name}",
        defaults={"enabled": True, "documentation.mime_type": "text/markdown"},
        computed={
            "name": "projects/{project}/alertPolicies/{serial}",
            "conditions.name": "projects/{project}/alertPolicies/{serial}/conditions/{serial}",
        },
        enums={
            "combiner": ("AND", "OR", "AND_WITH_MATCHING_RESOURCE"),
            "severity": ("CRITICAL", "ERROR", "WARNING"),
        },
        api_checks=(checks.alert_policy,),
        server_named=True,
    ),
    "google_monitoring_dashboard": Rules(
        id="projects/{number}/dashboards/{uuid}",
        validate_checks=(checks.dashboard,),
        server_named=True,
    ),
    "google_monitoring_metric_descriptor": Rules(
        id="projects/{project}/metricDescriptors/{type}",
        force_new=(
            "type",
            "metric_kind",
            "value_type",
            "unit",
            "display_name",
            "description",
            "metadata",
            "launch_stage",
        ),
        computed={"name": "projects/{project}/metricDescriptors/{type}"},
        enums={
            "metric_kind": ("METRIC_KIND_UNSPECIFIED", "GAUGE", "DELTA", "CUMULATIVE"),
            "value_type": ("BOOL", "INT64", "DOUBLE", "STRING", "DISTRIBUTION"),
            "labels.value_type": ("STRING", "BOOL", "INT64"),
        },
        api_checks=(
            matches(type=r"(custom|external|logging)\.googleapis\.com/[\w/.-]{1,180}", labels__key=r"[a-z]\w{0,99}"),
        ),
    ),
}
