"""Cloud Run."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.resource_rules.names import RFC1035
from tests.terraform.rules import Rules, durations, matches

CLOUD_RUN = {
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
}
