"""Cloud Functions, and what starts them: Cloud Scheduler and Eventarc."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.resource_rules.names import RFC1035
from tests.terraform.rules import Rules, matches

CLOUD_FUNCTIONS = {
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
}
