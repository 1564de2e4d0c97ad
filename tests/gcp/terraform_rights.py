"""What Terraform's account needs for each resource that it makes, reads, changes or removes, and where a grant that it makes holds.

Source: the provider's calls (github.com/hashicorp/terraform-provider-google, the resource's file), each of which asks for what
`tests.gcp.standin.iam` says of it. Only the types that forecasts render: whoever applies `infra/` owns the project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.gcp.standin.iam.policies import Grant, Need

Values = dict[str, Any]
_VERBS = {"create": "create", "read": "get", "update": "update", "delete": "delete"}


def _last(value: Any) -> str:
    return str(value).rpartition("/")[2]


def _located(values: Values) -> str:
    return f"projects/{values['project']}/locations/{values['location']}"


def _beneath(kind: str, key: str) -> Callable[[Values], str]:
    return lambda values: f"projects/{values['project']}/{kind}/{_last(values[key])}"


# How each type's permissions begin, its name, and the parent on which its creation is asked for.
_OF: dict[str, tuple[str, Callable[[Values], str], Callable[[Values], str]]] = {
    "google_bigquery_dataset": (
        "bigquery.datasets", lambda v: f"projects/{v['project']}/datasets/{v['dataset_id']}", lambda v: f"projects/{v['project']}",
    ),
    "google_bigquery_table": (
        "bigquery.tables", lambda v: f"projects/{v['project']}/datasets/{v['dataset_id']}/tables/{v['table_id']}",
        lambda v: f"projects/{v['project']}/datasets/{v['dataset_id']}",
    ),
    "google_cloud_run_v2_job": ("run.jobs", lambda v: f"{_located(v)}/jobs/{v['name']}", _located),
    "google_vertex_ai_endpoint": ("aiplatform.endpoints", lambda v: f"{_located(v)}/endpoints/{v['name']}", _located),
    "google_service_account": (
        "iam.serviceAccounts",
        lambda v: f"projects/{v['project']}/serviceAccounts/{v['account_id']}@{v['project']}.iam.gserviceaccount.com",
        lambda v: f"projects/{v['project']}",
    ),
    "google_storage_managed_folder": (
        "storage.managedFolders", lambda v: f"buckets/{v['bucket']}/managedFolders/{v['name']}", lambda v: f"buckets/{v['bucket']}",
    ),
    **{
        name: (prefix, _beneath(kind, key), lambda v: f"projects/{v['project']}")
        for name, prefix, kind, key in (
            ("google_logging_metric", "logging.logMetrics", "metrics", "name"),
            ("google_monitoring_alert_policy", "monitoring.alertPolicies", "alertPolicies", "id"),
            ("google_monitoring_dashboard", "monitoring.dashboards", "dashboards", "id"),
            ("google_monitoring_notification_channel", "monitoring.notificationChannels", "notificationChannels", "id"),
            ("google_pubsub_topic", "pubsub.topics", "topics", "name"),
            ("google_pubsub_subscription", "pubsub.subscriptions", "subscriptions", "name"),
            ("google_secret_manager_secret", "secretmanager.secrets", "secrets", "secret_id"),
        )
    },
}  # fmt: skip
# On what each type of grant holds, and how the permissions to change its policy begin.
_GRANTS: dict[str, tuple[str, Callable[[Values], str]]] = {
    "google_project_iam_member": ("resourcemanager.projects", lambda v: f"projects/{v['project']}"),
    "google_storage_bucket_iam_member": ("storage.buckets", lambda v: f"buckets/{_last(v['bucket'])}"),
    "google_storage_managed_folder_iam_member": (
        "storage.managedFolders", lambda v: f"buckets/{_last(v['bucket'])}/managedFolders/{v['managed_folder']}",
    ),
    "google_cloud_run_v2_job_iam_member": ("run.jobs", lambda v: f"{_located(v)}/jobs/{_last(v['name'])}"),
    "google_cloud_run_v2_service_iam_member": ("run.services", lambda v: f"{_located(v)}/services/{_last(v['name'])}"),
    "google_bigquery_table_iam_member": (
        "bigquery.tables", lambda v: f"projects/{v['project']}/datasets/{v['dataset_id']}/tables/{v['table_id']}",
    ),
    "google_bigquery_dataset_iam_member": ("bigquery.datasets", lambda v: f"projects/{v['project']}/datasets/{v['dataset_id']}"),
    "google_pubsub_topic_iam_member": ("pubsub.topics", lambda v: f"projects/{v['project']}/topics/{_last(v['topic'])}"),
    "google_pubsub_subscription_iam_member": (
        "pubsub.subscriptions", lambda v: f"projects/{v['project']}/subscriptions/{_last(v['subscription'])}",
    ),
    "google_secret_manager_secret_iam_member": (
        "secretmanager.secrets", lambda v: f"projects/{v['project']}/secrets/{_last(v['secret_id'])}",
    ),
    "google_service_account_iam_member": ("iam.serviceAccounts", lambda v: str(v["service_account_id"])),
    "google_artifact_registry_repository_iam_member": (
        "artifactregistry.repositories", lambda v: f"{_located(v)}/repositories/{_last(v['repository'])}",
    ),
    "google_kms_crypto_key_iam_member": ("cloudkms.cryptoKeys", lambda v: str(v["crypto_key_id"])),
}  # fmt: skip


def grant_of(type_name: str, values: Values) -> Grant | None:
    """Return what a resource of Terraform's grants; None where it is no grant."""
    if type_name not in _GRANTS:
        return None
    condition = values.get("condition") or [{}]
    return Grant(_GRANTS[type_name][1](values), values["role"], values["member"], condition[0].get("expression", ""))


def needs(operation: str, type_name: str, values: Values, project: str) -> Iterator[Need]:
    """Yield what Terraform's account needs. Raises KeyError for a type that no forecast renders."""
    if type_name in _GRANTS:
        prefix, place = _GRANTS[type_name]
        yield _need(f"{prefix}.getIamPolicy", place(values), project)
        if operation != "read":
            yield _need(f"{prefix}.setIamPolicy", place(values), project, changed=(values["role"],))
    elif type_name == "google_storage_managed_folder" and operation == "update":
        return  # force_destroy alone can change, and only the provider knows it: resource_storage_managed_folder.go makes no call
    elif type_name == "google_storage_bucket_object":
        yield from _object(operation, values, project)
    else:
        prefix, own, parent = _OF[type_name]
        place_of = parent if operation == "create" else own
        yield _need(f"{prefix}.{_VERBS[operation]}", place_of(values), project)
        if operation == "create":
            yield _need(f"{prefix}.get", own(values), project)  # the provider reads what it made
        yield from _more(operation, type_name, values)


def _need(permission: str, place: str, project: str, *, changed: tuple[str, ...] = ()) -> Need:
    if not place.startswith("buckets/"):
        return Need(permission, place, changed=changed)
    bucket = "/".join(place.split("/")[:2])
    return Need(
        permission,
        f"projects/_/{place}",
        "storage.googleapis.com/Bucket",
        (place, bucket, f"projects/{project}"),
        changed,
    )


def _object(operation: str, values: Values, project: str) -> Iterator[Need]:
    """An object that is changed is written over, which takes its removal too."""
    bucket, name = values["bucket"], values["name"]
    verbs = {
        "create": ("create", "get"),
        "read": ("get",),
        "update": ("create", "delete", "get"),
        "delete": ("delete",),
    }
    for verb in verbs[operation]:
        place = f"projects/_/buckets/{bucket}/objects/{name}"
        yield Need(
            f"storage.objects.{verb}",
            place,
            "storage.googleapis.com/Object",
            (f"buckets/{bucket}", f"projects/{project}"),
        )


def _more(operation: str, type_name: str, values: Values) -> Iterator[Need]:
    if type_name == "google_pubsub_subscription" and operation == "create":
        yield Need("pubsub.topics.attachSubscription", f"projects/{values['project']}/topics/{_last(values['topic'])}")
    if type_name == "google_cloud_run_v2_job" and operation in {"create", "update"}:
        account = values["template"][0]["template"][0]["service_account"]
        yield Need("iam.serviceAccounts.actAs", f"projects/{values['project']}/serviceAccounts/{account}")
        yield Need("run.operations.get", _located(values))
