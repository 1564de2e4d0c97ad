"""Data sources: what is only read."""

from __future__ import annotations

from collections.abc import Mapping

from tests.terraform.provider.planning import project_number
from tests.terraform.resource_rules import RESOURCES
from tests.terraform.rules import DataRules


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
