"""Cloud Composer."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.rules import Rules

COMPOSER = {
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
}
