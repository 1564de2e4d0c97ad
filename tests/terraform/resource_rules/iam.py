"""Members with a role on something (`google_…_iam_member`)."""

from __future__ import annotations

from typing import Any

from tests.terraform import checks
from tests.terraform.provider.values import UNKNOWN
from tests.terraform.rules import Facts, Rules


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
