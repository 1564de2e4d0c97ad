"""What Google's provider and Google's services do with each type, beyond the schema. Written by hand.

Sources are the provider's documentation and what its releases do. A line is here because something depends on it: an
id that other resources are built from, a change that destroys data, a value that is refused too late. `project` forces
a replacement everywhere, and is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.terraform import checks
from tests.terraform.provider.planning import project_number
from tests.terraform.provider.values import UNKNOWN
from tests.terraform.rules import DataRules, Facts, Rules, durations, matches

RFC1035 = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
PUBSUB_NAME = r"(?!goog)[A-Za-z][A-Za-z0-9_.~+%-]{2,254}"
COMPUTE = "https://www.googleapis.com/compute/v1/projects/{project}"
REPLICATION = "replication.user_managed.replicas"


def member_of(parent: str, *attributes: str) -> Rules:
    """One member with one role on something: nothing of it changes in place, and granting twice is granting once."""

    def id_(facts: Facts) -> Any:
        values = {name: facts(name) for name in ("role", "member", "condition")}
        if UNKNOWN in values.values():
            return UNKNOWN
        title = "".join(f"/{condition['title']}" for condition in values["condition"] or [])
        return f"{values['role']}/{values['member']}{title}"

    return Rules(
        id=f"{parent}/{{grant}}",
        computed={"etag": "BwY{hash}=", "grant": id_},
        force_new=(*attributes, "role", "member", "condition"),
        validate_checks=(checks.no_deleted_member,),
        api_checks=(checks.iam_member,),
        adopts=True,
    )


IAM = {
    "google_artifact_registry_repository_iam_member": member_of(
        "projects/{project}/locations/{location}/repositories/{repository|last}", "location", "repository"
    ),
    "google_bigquery_dataset_iam_member": member_of("projects/{project}/datasets/{dataset_id}", "dataset_id"),
    "google_bigquery_table_iam_member": member_of(
        "projects/{project}/datasets/{dataset_id}/tables/{table_id}", "dataset_id", "table_id"
    ),
    "google_binary_authorization_attestor_iam_member": member_of(
        "projects/{project}/attestors/{attestor|last}", "attestor"
    ),
    "google_cloud_run_v2_job_iam_member": member_of(
        "projects/{project}/locations/{location}/jobs/{name|last}", "location", "name"
    ),
    "google_cloud_run_v2_service_iam_member": member_of(
        "projects/{project}/locations/{location}/services/{name|last}", "location", "name"
    ),
    "google_cloudfunctions2_function_iam_member": member_of(
        "projects/{project}/locations/{location}/functions/{cloud_function|last}", "location", "cloud_function"
    ),
    "google_compute_subnetwork_iam_member": member_of(
        "projects/{project}/regions/{region}/subnetworks/{subnetwork|last}", "region", "subnetwork"
    ),
    "google_kms_crypto_key_iam_member": member_of("{crypto_key_id}", "crypto_key_id"),
    "google_kms_key_ring_iam_member": member_of("{key_ring_id}", "key_ring_id"),
    "google_project_iam_member": member_of("{project}"),
    "google_pubsub_subscription_iam_member": member_of(
        "projects/{project}/subscriptions/{subscription|last}", "subscription"
    ),
    "google_pubsub_topic_iam_member": member_of("projects/{project}/topics/{topic|last}", "topic"),
    "google_secret_manager_secret_iam_member": member_of("projects/{project}/secrets/{secret_id|last}", "secret_id"),
    "google_service_account_iam_member": member_of("{service_account_id}", "service_account_id"),
    "google_storage_bucket_iam_member": member_of("b/{bucket}", "bucket"),
    "google_storage_managed_folder_iam_member": member_of(
        "b/{bucket}/managedFolders/{managed_folder}", "bucket", "managed_folder"
    ),
}

PROJECT = {
    "google_project_service": Rules(
        id="{project}/{service}",
        force_new=("service",),
        defaults={"disable_on_destroy": False},
        patterns={"service": r"[a-z][a-z0-9.-]*\.googleapis\.com"},
        adopts=True,
    ),
    "google_project_iam_custom_role": Rules(
        id="projects/{project}/roles/{role_id}",
        force_new=("role_id",),
        defaults={"stage": "GA"},
        computed={"name": "{id}", "deleted": False},
        patterns={"role_id": r"[a-zA-Z0-9_.]{3,64}"},
        enums={"stage": ("ALPHA", "BETA", "GA", "DEPRECATED", "DISABLED", "EAP")},
        api_checks=(
            lambda values: [
                f"Permission {name} is not valid"
                for name in values["permissions"]
                if name.count(".") != 2 or "*" in name or not name.replace(".", "").isalnum()
            ],
        ),
    ),
    "google_project_iam_audit_config": Rules(
        id="{project}/audit_config/{service}",
        force_new=("service",),
        enums={"audit_log_config.log_type": ("ADMIN_READ", "DATA_READ", "DATA_WRITE")},
        computed={"etag": "BwY{hash}="},
        adopts=True,
    ),
    "google_service_account": Rules(
        id="{name}",
        force_new=("account_id",),
        defaults={"disabled": False, "create_ignore_already_exists": False},
        planned={
            "email": "{account_id}@{project}.iam.gserviceaccount.com",
            "member": "serviceAccount:{account_id}@{project}.iam.gserviceaccount.com",
        },
        computed={"name": "projects/{project}/serviceAccounts/{email}", "unique_id": "{serial}"},
        patterns={"account_id": r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])"},
    ),
    "google_iam_workload_identity_pool": Rules(
        id="projects/{project}/locations/global/workloadIdentityPools/{workload_identity_pool_id}",
        force_new=("workload_identity_pool_id", "mode"),
        computed={
            "name": "projects/{number}/locations/global/workloadIdentityPools/{workload_identity_pool_id}",
            "state": "ACTIVE",
        },
        patterns={"workload_identity_pool_id": r"(?!gcp-)[0-9a-z-]{4,32}"},
    ),
    "google_iam_workload_identity_pool_provider": Rules(
        id="projects/{project}/locations/global/workloadIdentityPools/{workload_identity_pool_id}"
        "/providers/{workload_identity_pool_provider_id}",
        force_new=("workload_identity_pool_id", "workload_identity_pool_provider_id"),
        computed={
            "name": "projects/{number}/locations/global/workloadIdentityPools/{workload_identity_pool_id}"
            "/providers/{workload_identity_pool_provider_id}",
            "state": "ACTIVE",
        },
        patterns={"workload_identity_pool_provider_id": r"(?!gcp-)[0-9a-z-]{4,32}"},
        exactly_one=(("aws", "oidc", "saml", "x509"),),
        api_checks=(checks.identity_provider,),
    ),
}

STORAGE = {
    "google_storage_bucket": Rules(
        id="{name}",
        force_new=("name", "location", "custom_placement_config", "hierarchical_namespace", "enable_object_retention"),
        force_new_if={"retention_policy": checks.unlocked},
        defaults={
            "force_destroy": False,
            "storage_class": "STANDARD",
            "retention_policy.is_locked": False,
            "soft_delete_policy.retention_duration_seconds": 604_800,
        },
        computed={
            "self_link": "https://www.googleapis.com/storage/v1/b/{name}",
            "url": "gs://{name}",
            "project_number": lambda facts: facts("number"),
            "public_access_prevention": "inherited",
            "uniform_bucket_level_access": False,
            "rpo": "DEFAULT",
            "logging.log_object_prefix": "{name}",
            "lifecycle_rule.condition.with_state": "",
        },
        kept={
            "soft_delete_policy": [{"effective_time": UNKNOWN, "retention_duration_seconds": 604_800}],
        },
        enums={
            "public_access_prevention": ("enforced", "inherited"),
            "rpo": ("ASYNC_TURBO", "DEFAULT"),
            "lifecycle_rule.action.type": ("Delete", "SetStorageClass", "AbortIncompleteMultipartUpload"),
            "lifecycle_rule.condition.with_state": ("LIVE", "ARCHIVED", "ANY", ""),
        },
        patterns={"name": r"(?!goog)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"},
        api_checks=(
            checks.bucket_retention,
            matches(
                storage_class="STANDARD|NEARLINE|COLDLINE|ARCHIVE|MULTI_REGIONAL|REGIONAL",
                location=r"[A-Za-z]+(-[A-Za-z]+\d+)?|[A-Z]{2,4}\d?",
            ),
        ),
        held="Error trying to delete bucket {id} containing objects without `force_destroy` set to true",
        freed_by="force_destroy",
    ),
    "google_storage_bucket_object": Rules(
        id="{bucket}-{name}",
        force_new=("bucket", "name", "kms_key_name"),
        computed={
            "output_name": "{name}",
            "self_link": "https://www.googleapis.com/storage/v1/b/{bucket}/o/{name}",
            "media_link": "https://storage.googleapis.com/download/storage/v1/b/{bucket}/o/{name}?alt=media",
            "generation": lambda facts: int(facts("serial")) // 1000,
            "storage_class": "STANDARD",
        },
        sensitive=("content",),
        exactly_one=(("content", "source"),),
        adopts=True,
    ),
    "google_storage_managed_folder": Rules(
        id="{bucket}/{name}",
        force_new=("bucket", "name"),
        defaults={"force_destroy": False},
        computed={"self_link": "https://www.googleapis.com/storage/v1/b/{bucket}/managedFolders/{name}"},
        validate_checks=(checks.folder_name,),
        held="Error 409: the managed folder {id} holds objects",
        freed_by="force_destroy",
    ),
}

KMS = {
    "google_kms_key_ring": Rules(
        id="projects/{project}/locations/{location}/keyRings/{name}",
        force_new=("name", "location"),
        api_checks=(matches(name=r"[a-zA-Z0-9_-]{1,63}"),),
        stays=True,
    ),
    "google_kms_crypto_key": Rules(
        id="{key_ring}/cryptoKeys/{name}",
        force_new=("name", "key_ring", "purpose", "import_only", "destroy_scheduled_duration", "crypto_key_backend"),
        defaults={"purpose": "ENCRYPT_DECRYPT", "version_template.protection_level": "SOFTWARE"},
        computed={"destroy_scheduled_duration": "2592000s", "import_only": False, "crypto_key_backend": ""},
        kept={"version_template": [{"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protection_level": "SOFTWARE"}]},
        enums={"purpose": ("ENCRYPT_DECRYPT", "ASYMMETRIC_SIGN", "ASYMMETRIC_DECRYPT", "MAC", "RAW_ENCRYPT_DECRYPT")},
        validate_checks=(checks.kms_rotation,),
        api_checks=(checks.kms_key, matches(name=r"[a-zA-Z0-9_-]{1,63}")),
        stays=True,
    ),
    "google_secret_manager_secret": Rules(
        id="projects/{project}/secrets/{secret_id}",
        force_new=("secret_id", "replication"),
        defaults={"deletion_protection": False},
        computed={"name": "projects/{number}/secrets/{secret_id}", "expire_time": ""},
        exactly_one=(("replication.auto", "replication.user_managed"),),
        conflicts=(("expire_time", "ttl"),),
        api_checks=(
            checks.secret,
            matches(secret_id=r"[A-Za-z0-9_-]{1,255}"),
            durations(3600, 3_153_600_000, "rotation.rotation_period"),
            durations(86_400, 8_640_000, "version_destroy_ttl"),
        ),
    ),
    "google_secret_manager_secret_version": Rules(
        id="{secret}/versions/{version}",
        force_new=("secret", "secret_data", "secret_data_wo_version", "is_secret_data_base64"),
        defaults={"enabled": True, "is_secret_data_base64": False},
        computed={"version": "{ordinal}", "name": "{secret}/versions/{version}", "destroy_time": ""},
        sensitive=("secret_data", "secret_data_wo"),
        write_only=("secret_data_wo",),
        exactly_one=(("secret_data", "secret_data_wo"),),
        needs={"secret_data_wo": ("secret_data_wo_version",)},
        server_named=True,
    ),
}

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

RUN = {
    "google_cloud_run_v2_job": Rules(
        id="projects/{project}/locations/{location}/jobs/{name}",
        force_new=("name", "location"),
        defaults={"deletion_protection": True, "template.template.max_retries": 3},
        computed={
            "uid": "{uuid}",
            "launch_stage": "GA",
            "generation": "1",
            "observed_generation": "1",
            "template.task_count": 1,
            "template.parallelism": 0,
            "template.template.timeout": "600s",
            "template.template.execution_environment": "EXECUTION_ENVIRONMENT_GEN2",
            "template.template.service_account": "{number}-compute@developer.gserviceaccount.com",
            "template.template.containers.resources.limits": {"cpu": "1000m", "memory": "512Mi"},
            "template.template.vpc_access.egress": "PRIVATE_RANGES_ONLY",
        },
        enums={
            "template.template.execution_environment": ("EXECUTION_ENVIRONMENT_GEN1", "EXECUTION_ENVIRONMENT_GEN2"),
            "template.template.vpc_access.egress": ("ALL_TRAFFIC", "PRIVATE_RANGES_ONLY"),
            "launch_stage": ("UNIMPLEMENTED", "PRELAUNCH", "EARLY_ACCESS", "ALPHA", "BETA", "GA", "DEPRECATED"),
        },
        conflicts=(("binary_authorization.use_default", "binary_authorization.policy"),),
        api_checks=(
            checks.run_job,
            matches(name=r"(?!.{64})" + RFC1035, template__template__containers__image=r"\S+/\S+"),
            durations(1, 604_800, "template.template.timeout"),
        ),
    ),
    "google_cloud_run_v2_service": Rules(
        id="projects/{project}/locations/{location}/services/{name}",
        force_new=("name", "location"),
        defaults={"deletion_protection": True},
        computed={"uid": "{uuid}", "uri": "https://{name}-{number}.{location}.run.app", "launch_stage": "GA"},
        kept={"traffic": [], "scaling": []},
        api_checks=(matches(name=RFC1035),),
    ),
    "google_cloud_scheduler_job": Rules(
        id="projects/{project}/locations/{region}/jobs/{name}",
        force_new=("name", "region"),
        defaults={"time_zone": "Etc/UTC"},
        computed={"state": "ENABLED", "paused": False},
        exactly_one=(("http_target", "pubsub_target", "app_engine_http_target"),),
        conflicts=(("http_target.oauth_token", "http_target.oidc_token"),),
        ranges={"retry_config.retry_count": (0, 5)},
        validate_checks=(checks.http_body,),
        api_checks=(checks.scheduler_job, matches(name=r"[\w-]{1,500}", http_target__uri=r"https?://\S+")),
    ),
    "google_cloudfunctions2_function": Rules(
        id="projects/{project}/locations/{location}/functions/{name}",
        force_new=("name", "location", "kms_key_name"),
        defaults={
            "service_config.ingress_settings": "ALLOW_ALL",
            "service_config.all_traffic_on_latest_revision": True,
        },
        computed={
            "environment": "GEN_2",
            "state": "ACTIVE",
            "url": "https://{location}-{project}.cloudfunctions.net/{name}",
            "build_config.build": "projects/{number}/locations/{location}/builds/{uuid}",
            "build_config.docker_repository": "projects/{project}/locations/{location}/repositories/gcf-artifacts",
            "build_config.environment_variables": {"GOOGLE_FUNCTION_TARGET": "main"},
            "build_config.service_account": "projects/{project}/serviceAccounts/{number}-compute@developer.gserviceaccount.com",
            "build_config.source.storage_source.generation": lambda facts: int(facts("serial")) // 1000,
            "service_config.uri": "https://{name}-{hash}-ew.a.run.app",
            "service_config.gcf_uri": "https://{location}-{project}.cloudfunctions.net/{name}",
            "service_config.service": "projects/{project}/locations/{location}/services/{name}",
            "service_config.service_account_email": "{number}-compute@developer.gserviceaccount.com",
            "service_config.available_cpu": "0.1666",
            "service_config.available_memory": "256M",
            "service_config.timeout_seconds": 60,
            "service_config.max_instance_count": 100,
            "service_config.max_instance_request_concurrency": 1,
            "event_trigger.trigger": "projects/{project}/locations/{location}/triggers/{name}-{hash}",
            "event_trigger.trigger_region": "{location}",
            "event_trigger.service_account_email": "{number}-compute@developer.gserviceaccount.com",
            "event_trigger.pubsub_topic": "",
        },
        enums={
            "service_config.ingress_settings": ("ALLOW_ALL", "ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB"),
            "event_trigger.retry_policy": (
                "RETRY_POLICY_UNSPECIFIED",
                "RETRY_POLICY_DO_NOT_RETRY",
                "RETRY_POLICY_RETRY",
            ),
            "service_config.vpc_connector_egress_settings": ("PRIVATE_RANGES_ONLY", "ALL_TRAFFIC"),
            "service_config.direct_vpc_egress": ("VPC_EGRESS_ALL_TRAFFIC", "VPC_EGRESS_PRIVATE_RANGES_ONLY"),
        },
        ranges={"service_config.timeout_seconds": (1, 3600)},
        conflicts=(("build_config.source.storage_source", "build_config.source.repo_source"),),
        api_checks=(
            checks.function,
            matches(
                name=RFC1035, service_config__available_memory=r"\d+(Mi|M|Gi|G)?", build_config__runtime=r"[a-z]+\d+"
            ),
        ),
    ),
    "google_eventarc_trigger": Rules(
        id="projects/{project}/locations/{location}/triggers/{name}",
        force_new=("name", "location", "transport", "channel"),
        computed={"uid": "{uuid}"},
    ),
    "google_composer_environment": Rules(
        id="projects/{project}/locations/{region}/environments/{name}",
        force_new=(
            "name",
            "region",
            "storage_config",
            "config.encryption_config",
            "config.node_config.service_account",
            "config.node_config.tags",
            "config.resilience_mode",
        ),
        computed={
            "config.airflow_uri": "https://{hash}-dot-{region}.composer.googleusercontent.com",
            "config.dag_gcs_prefix": "gs://{region}-{name}-{hash}-bucket/dags",
            "config.gke_cluster": "",
            "config.environment_size": "ENVIRONMENT_SIZE_SMALL",
            "config.resilience_mode": "STANDARD_RESILIENCE",
            "config.software_config.image_version": "composer-3-airflow-2.10.5-build.1",
        },
        kept={"config": [{}], "storage_config": [{"bucket": ""}]},
        patterns={"name": r"[a-z](?:[-0-9a-z]{0,62}[0-9a-z])?"},
        enums={
            "config.environment_size": (
                "ENVIRONMENT_SIZE_SMALL",
                "ENVIRONMENT_SIZE_MEDIUM",
                "ENVIRONMENT_SIZE_LARGE",
                "ENVIRONMENT_SIZE_EXTRA_LARGE",
            ),
            "config.resilience_mode": ("STANDARD_RESILIENCE", "HIGH_RESILIENCE"),
            "config.software_config.web_server_plugins_mode": ("ENABLED", "DISABLED"),
        },
        plan_checks=(checks.composer_version,),
        api_checks=(checks.composer_service,),
    ),
    "google_cloudbuild_worker_pool": Rules(
        id="projects/{project}/locations/{location}/workerPools/{name}",
        force_new=("name", "location", "network_config", "private_service_connect"),
        computed={"uid": "{uuid}", "state": "RUNNING"},
        kept={"worker_config": [{"disk_size_gb": 100, "machine_type": "e2-medium", "no_external_ip": False}]},
        conflicts=(("network_config", "private_service_connect"),),
    ),
    "google_cloudbuildv2_connection": Rules(
        id="projects/{project}/locations/{location}/connections/{name}",
        force_new=("location", "name"),
    ),
    "google_cloudbuildv2_repository": Rules(
        id="projects/{project}/locations/{location}/connections/{parent_connection|last}/repositories/{name}",
        force_new=("location", "name", "parent_connection", "remote_uri"),
    ),
    "google_cloudbuild_trigger": Rules(
        id="projects/{project}/locations/{location}/triggers/{trigger_id}",
        force_new=("location",),
        defaults={"location": "global", "build.timeout": "600s"},
        computed={"trigger_id": "{uuid}", "name": "trigger-{hash}"},
        kept={"approval_config": [{"approval_required": False}]},
        exactly_one=(("build", "filename", "git_file_source"),),
        plan_checks=(checks.build_steps,),
        api_checks=(checks.build_account,),
        server_named=True,
    ),
    "google_artifact_registry_repository": Rules(
        id="projects/{project}/locations/{location}/repositories/{repository_id}",
        force_new=("repository_id", "location", "format", "kms_key_name", "mode"),
        defaults={"mode": "STANDARD_REPOSITORY"},
        computed={"name": "{repository_id}", "registry_uri": "{location}-docker.pkg.dev/{project}/{repository_id}"},
        kept={"vulnerability_scanning_config": []},
        api_checks=(matches(repository_id=RFC1035, format="DOCKER|MAVEN|NPM|PYTHON|APT|YUM|KFP|GO|GENERIC|RUBY"),),
        held="googleapi: Error 400: the repository {id} holds packages",
    ),
    "google_vertex_ai_endpoint": Rules(
        id="projects/{project}/locations/{location}/endpoints/{name}",
        force_new=(
            "name",
            "location",
            "region",
            "network",
            "encryption_spec",
            "private_service_connect_config",
            "dedicated_endpoint_enabled",
        ),
        computed={
            "dedicated_endpoint_dns": "{name}.{region}-{number}.prediction.vertexai.goog",
            "model_deployment_monitoring_job": "",
            "traffic_split": "",
        },
        conflicts=(
            ("network", "private_service_connect_config"),
            ("network", "dedicated_endpoint_enabled"),
            ("dedicated_endpoint_enabled", "private_service_connect_config"),
        ),
        api_checks=(checks.endpoint,),
        held="googleapi: Error 400: The Endpoint {id} has deployed or being-deployed DeployedModel(s)",
    ),
    "google_binary_authorization_policy": Rules(
        id="projects/{project}",
        enums={
            "default_admission_rule.evaluation_mode": ("ALWAYS_ALLOW", "REQUIRE_ATTESTATION", "ALWAYS_DENY"),
            "default_admission_rule.enforcement_mode": ("ENFORCED_BLOCK_AND_AUDIT_LOG", "DRYRUN_AUDIT_LOG_ONLY"),
            "global_policy_evaluation_mode": ("ENABLE", "DISABLE"),
        },
        computed={"global_policy_evaluation_mode": "DISABLE"},
        adopts=True,
    ),
    "google_binary_authorization_attestor": Rules(id="projects/{project}/attestors/{name}", force_new=("name",)),
    "google_container_analysis_note": Rules(
        id="projects/{project}/notes/{name}", force_new=("name",), computed={"kind": "ATTESTATION"}
    ),
}


def compute(collection: str, *force_new: str, **more: Any) -> Rules:
    """A resource of Compute Engine: a name, a self link, and most of it fixed at creation."""
    return Rules(
        id=f"projects/{{project}}/{collection}/{{name}}",
        force_new=("name", *force_new),
        computed={"self_link": f"{COMPUTE}/{collection}/{{name}}", **more.pop("computed", {})},
        patterns={"name": RFC1035, **more.pop("patterns", {})},
        **more,
    )


NETWORK = {
    "google_compute_network": compute(
        "global/networks",
        "auto_create_subnetworks",
        "description",
        "delete_default_routes_on_create",
        "network_profile",
        defaults={
            "auto_create_subnetworks": True,
            "delete_default_routes_on_create": False,
            "network_firewall_policy_enforcement_order": "AFTER_CLASSIC_FIREWALL",
        },
        computed={
            "gateway_ipv4": "",
            "mtu": 1460,
            "routing_mode": "REGIONAL",
            "numeric_id": "{serial}",
            "network_id": "{serial}",
        },
    ),
    "google_compute_subnetwork": compute(
        "regions/{region}/subnetworks",
        "network",
        "region",
        "purpose",
        "ip_cidr_range",
        computed={
            "purpose": "PRIVATE",
            "stack_type": "IPV4_ONLY",
            "private_ip_google_access": False,
            "gateway_address": "10.0.0.1",
        },
        kept={"secondary_ip_range": []},
        api_checks=(matches(ip_cidr_range=r"\d+\.\d+\.\d+\.\d+/\d+", secondary_ip_range__ip_cidr_range=r"[\d.]+/\d+"),),
    ),
    "google_compute_global_address": compute(
        "global/addresses",
        "address",
        "address_type",
        "ip_version",
        "network",
        "prefix_length",
        "purpose",
        "description",
        defaults={"address_type": "EXTERNAL"},
        computed={"address": "10.200.0.0", "prefix_length": 0, "label_fingerprint": "{hash}"},
        enums={"address_type": ("EXTERNAL", "INTERNAL"), "purpose": ("VPC_PEERING", "PRIVATE_SERVICE_CONNECT")},
    ),
    "google_compute_firewall": compute(
        "global/firewalls",
        "network",
        "direction",
        defaults={"priority": 1000},
        computed={"direction": "INGRESS", "enable_logging": False},
        enums={"direction": ("INGRESS", "EGRESS")},
        exactly_one=(("allow", "deny"),),
    ),
    "google_compute_route": compute(
        "global/routes", "network", "dest_range", "next_hop_gateway", "priority", "tags", defaults={"priority": 1000}
    ),
    "google_compute_router": compute("regions/{region}/routers", "network", "region"),
    "google_compute_router_nat": Rules(
        id="{project}/{region}/{router}/{name}",
        force_new=("name", "router", "region"),
        enums={
            "source_subnetwork_ip_ranges_to_nat": (
                "ALL_SUBNETWORKS_ALL_IP_RANGES",
                "ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES",
                "LIST_OF_SUBNETWORKS",
            ),
            "nat_ip_allocate_option": ("MANUAL_ONLY", "AUTO_ONLY"),
        },
    ),
    "google_service_networking_connection": Rules(
        id="{network}:{service}",
        force_new=("network", "service"),
        computed={"peering": "servicenetworking-googleapis-com"},
    ),
    "google_dns_managed_zone": Rules(
        id="projects/{project}/managedZones/{name}",
        force_new=("name", "dns_name", "visibility"),
        defaults={"description": "Managed by Terraform", "visibility": "public", "force_destroy": False},
        enums={"visibility": ("private", "public")},
        patterns={"dns_name": r".+\."},
    ),
    "google_dns_record_set": Rules(
        id="projects/{project}/managedZones/{managed_zone|last}/rrsets/{name}/{type}",
        force_new=("name", "managed_zone"),
        patterns={"name": r".+\."},
    ),
}

# Where a service agent is not service-NUMBER@gcp-sa-SERVICE
AGENTS = {
    "artifactregistry": "gcp-sa-artifactregistry",
    "cloudfunctions": "gcf-admin-robot",
    "composer": "cloudcomposer-accounts",
    "compute": "compute-system",
    "monitoring": "gcp-sa-monitoring-notification",
    "run": "serverless-robot-prod",
    "servicenetworking": "service-networking",
}


def agent(facts: Facts) -> Any:
    """The email address of a service agent."""
    service, number = facts("service"), facts("number")
    if UNKNOWN in (service, number):
        return UNKNOWN
    name = service.partition(".")[0]
    return f"service-{number}@{AGENTS.get(name, f'gcp-sa-{name}')}.iam.gserviceaccount.com"


BETA = {
    "google_project_service_identity": Rules(
        id="projects/{project}/services/{service}",
        force_new=("service",),
        computed={"email": agent, "member": "serviceAccount:{email}"},
        patterns={"service": r"[a-z][a-z0-9.-]*\.googleapis\.com"},
        adopts=True,
        stays=True,
    ),
}

# The package holds google alone; this type is in google-beta alone.
BETA_SCHEMA: Mapping[str, Any] = {
    "google_project_service_identity": {
        "attributes": {
            "service": {"type": "string", "required": True},
            "project": {"type": "string", "optional": True, "computed": True},
            "id": {"type": "string", "optional": True, "computed": True},
            "email": {"type": "string", "computed": True},
            "member": {"type": "string", "computed": True},
        },
        "block_types": {
            "timeouts": {
                "nesting_mode": "single",
                "block": {
                    "attributes": {
                        name: {"type": "string", "optional": True} for name in ("create", "read", "update", "delete")
                    },
                    "block_types": {},
                },
            }
        },
    }
}

RESOURCES: Mapping[str, Rules] = {
    **IAM,
    **PROJECT,
    **STORAGE,
    **KMS,
    **BIGQUERY,
    **PUBSUB,
    **MONITORING,
    **RUN,
    **NETWORK,
    **BETA,
}


def reads(type_name: str) -> DataRules:
    """A data source that reads a resource of the same type and the same id."""
    return DataRules(id=RESOURCES[type_name].id, lives_in=type_name)


def robot(prefix: str, domain: str) -> str:
    return f"{prefix}-{{number}}@{domain}.iam.gserviceaccount.com"


GCS, BQ = robot("service", "gs-project-accounts"), robot("bq", "bigquery-encryption")

DATA: Mapping[str, DataRules] = {
    "google_project": DataRules(
        id="projects/{project_id}",
        computed={
            "project_id": lambda facts: facts("project"),
            "name": "{project_id}",
            "number": lambda facts: str(project_number(facts("project_id"))),
            "org_id": "123456789012",
            "billing_account": "000000-000000-000000",
        },
    ),
    "google_client_config": DataRules(
        id="projects/{project}",
        computed={"access_token": "ya29.not-a-token"},
    ),
    "google_storage_project_service_account": DataRules(
        id=GCS, computed={"email_address": GCS, "member": f"serviceAccount:{GCS}"}
    ),
    "google_bigquery_default_service_account": DataRules(
        id="projects/{project}", computed={"email": BQ, "member": f"serviceAccount:{BQ}"}
    ),
    "google_logging_project_cmek_settings": DataRules(
        id="projects/{project}/cmekSettings",
        computed={
            "name": "projects/{number}/cmekSettings",
            "service_account_id": "cmek-p{number}@gcp-sa-logging.iam.gserviceaccount.com",
            "kms_key_version_name": "",
        },
    ),
    "google_service_account": DataRules(
        id=lambda facts: (
            account
            if (account := str(facts("account_id"))).startswith("projects/")
            else f"projects/{facts('project')}/serviceAccounts/"
            + (account if "@" in account else f"{account}@{facts('project')}.iam.gserviceaccount.com")
        ),
        lives_in="google_service_account",
    ),
    **{
        name: reads(name)
        for name in (
            "google_artifact_registry_repository",
            "google_cloud_run_v2_job",
            "google_composer_environment",
            "google_compute_network",
            "google_compute_subnetwork",
            "google_kms_crypto_key",
            "google_kms_key_ring",
            "google_pubsub_topic",
            "google_secret_manager_secret",
            "google_storage_bucket",
        )
    },
}


def stable_types() -> list[str]:
    """The types that the package knows."""
    return sorted(set(RESOURCES) - set(BETA_SCHEMA))
