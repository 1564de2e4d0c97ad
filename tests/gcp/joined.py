"""Terraform's stand-in and Google's as one cloud: what terraform makes exists at the APIs, and what it destroys does no more.

`python -m tests.terraform.provider --cloud tests.gcp.joined:Joined`, in the environment that leads Google's clients to the stand-in
and to Pub/Sub's emulator. Only what somebody calls is made there; all the rest is known to Terraform's stand-in alone.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from google.api_core.exceptions import GoogleAPICallError

from tests.gcp import platform, terraform_rights
from tests.terraform.provider.cloud import Cloud, Operation, Resource
from tests.terraform.provider.service import Refused

FUNCTION = "MLSPEC_TEST_FUNCTION"
"""Where the redeploy function listens on this machine, whatever URL Google would have given it."""
ADMIN = "MLSPEC_TEST_STANDIN"
"""Where the stand-in answers a test."""
Values = dict[str, Any]


class Joined(Cloud):
    """A cloud whose resources stand at Google's APIs too, where `KINDS` knows how to make them."""

    def save(self, resource: Resource) -> Resource:
        """Make or change it there, then here. Raises Refused with the API's words."""
        make, change, _ = KINDS.get(resource.type, _NOTHING)
        new = self.find(resource.type, resource.id) is None
        _asked(make if new else change, resource.values)
        self._grant("grant", resource)
        return super().save(resource)

    def remove(self, resource: Resource) -> None:
        """Take it down there, then here. Raises Refused with the API's words."""
        _asked(KINDS.get(resource.type, _NOTHING)[2], resource.values)
        self._grant("revoke", resource)
        super().remove(resource)

    def _grant(self, change: str, resource: Resource) -> None:
        """Let the stand-in know a grant, or a role of the project's own."""
        if resource.type == "google_project_iam_custom_role":
            _ask("role", name=resource.id, permissions=resource.values["permissions"])
        elif grant := terraform_rights.grant_of(resource.type, resource.values):
            _ask(change, **asdict(grant))

    def authorize(self, operation: Operation, type_name: str, values: Values) -> None:
        """Ask the stand-in whether Terraform's account may. Raises Refused with Google's words."""
        if not self.account:
            return
        project = os.environ["GOOGLE_CLOUD_PROJECT"]
        own = next((each.values["project"] for each in self.resources("google_storage_bucket")), project)
        needs = [asdict(each) for each in terraform_rights.needs(operation, type_name, values, own)]
        if denied := _ask("authorize", email=self.account, needs=needs):
            raise Refused(f"googleapi: Error 403: {denied}, forbidden")


def _ask(question: str, **given: Any) -> Any:
    request = urllib.request.Request(f"{os.environ[ADMIN]}/{question}", json.dumps(given).encode(), method="POST")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as found:
            return json.load(found)
    except urllib.error.HTTPError as wrong:
        with wrong:
            raise ValueError(json.load(wrong)) from None


def _asked(call: Callable[[Values], object], values: Values) -> None:
    try:
        call(values)
    except GoogleAPICallError as error:
        raise Refused(f"googleapi: Error {error.code}: {error.message}") from None


def _make_bucket(values: Values) -> None:
    bucket = platform.storage(values["project"]).bucket(values["name"])
    bucket.versioning_enabled = bool(values["versioning"] and values["versioning"][0]["enabled"])
    bucket.create()


def _drop_bucket(values: Values) -> None:
    bucket = platform.storage(values["project"]).bucket(values["name"])
    for each in bucket.list_blobs(versions=True) if values["force_destroy"] else ():
        each.delete()
    bucket.delete()


def _make_dataset(values: Values) -> None:
    platform.bigquery(values["project"]).create_dataset(f"{values['project']}.{values['dataset_id']}")


def _drop_dataset(values: Values) -> None:
    client = platform.bigquery(values["project"])
    client.delete_dataset(values["dataset_id"], delete_contents=bool(values["delete_contents_on_destroy"]))


def _table(values: Values) -> str:
    return f"{values['project']}.{values['dataset_id']}.{values['table_id']}"


def _make_table(values: Values) -> None:
    from google.cloud import bigquery as bq

    if values["view"]:
        _make_view(values)
        return
    table = bq.Table(
        _table(values), schema=[bq.SchemaField.from_api_repr(each) for each in json.loads(values["schema"])]
    )
    (parts,) = values["time_partitioning"]
    table.time_partitioning = bq.TimePartitioning(parts["type"], field=parts["field"])
    table.require_partition_filter = bool(values["require_partition_filter"])
    platform.bigquery(values["project"]).create_table(table)


def _view(values: Values) -> Any:
    from google.cloud import bigquery as bq

    (said,) = values["view"]
    view = bq.Table(_table(values))
    view.view_query = said["query"]
    view.view_use_legacy_sql = bool(said["use_legacy_sql"])
    return view


def _make_view(values: Values) -> None:
    platform.bigquery(values["project"]).create_table(_view(values))


def _change_table(values: Values) -> None:
    """A view takes another query in place; the columns that a table gets, a load adds."""
    if values["view"]:
        platform.bigquery(values["project"]).update_table(_view(values), ["view_query", "view_use_legacy_sql"])


def _drop_table(values: Values) -> None:
    platform.bigquery(values["project"]).delete_table(_table(values))


def _job(values: Values) -> dict[str, Any]:
    task = values["template"][0]["template"][0]
    (container,) = task["containers"]
    env = [{"name": each["name"], "value": each["value"]} for each in container["env"] or ()]
    said = {"image": container["image"], "args": container["args"] or [], "env": env}
    own = {"max_retries": task["max_retries"], "service_account": task["service_account"]}
    return {"template": {"template": {"containers": [said], **own}}}


def _jobs() -> Any:
    from google.cloud import run_v2

    return run_v2.JobsClient()


def _make_job(values: Values) -> None:
    parent = f"projects/{values['project']}/locations/{values['location']}"
    _jobs().create_job(parent=parent, job=_job(values), job_id=values["name"]).result()


def _change_job(values: Values) -> None:
    _jobs().update_job(job={"name": values["id"], **_job(values)}).result()


def _drop_job(values: Values) -> None:
    _jobs().delete_job(name=values["id"]).result()


def _make_endpoint(values: Values) -> None:
    parent = f"projects/{values['project']}/locations/{values['location']}"
    endpoint: Values = {"display_name": values["display_name"], "labels": values["labels"]}
    if values["private_service_connect_config"]:
        (config,) = values["private_service_connect_config"]
        endpoint["private_service_connect_config"] = {
            key: config[key] for key in ("enable_private_service_connect", "project_allowlist")
        }
    else:
        endpoint["dedicated_endpoint_enabled"] = bool(values["dedicated_endpoint_enabled"])
    platform.endpoints().create_endpoint(parent=parent, endpoint=endpoint, endpoint_id=values["name"]).result()


def _drop_endpoint(values: Values) -> None:
    platform.endpoints().delete_endpoint(name=values["id"]).result()


def _topics() -> Any:
    from google.cloud import pubsub_v1

    return pubsub_v1.PublisherClient()


def _subscriptions() -> Any:
    from google.cloud import pubsub_v1

    return pubsub_v1.SubscriberClient()


def _make_topic(values: Values) -> None:
    with _topics() as client:
        client.create_topic(name=values["id"])


def _drop_topic(values: Values) -> None:
    with _topics() as client:
        client.delete_topic(topic=values["id"])


def _make_subscription(values: Values) -> None:
    push = {"push_config": {"push_endpoint": os.environ[FUNCTION]}} if values["push_config"] else {}
    patience = {"ack_deadline_seconds": int(values["ack_deadline_seconds"] or 10)}  # Google's own, where none is said
    with _subscriptions() as client:
        client.create_subscription(request={"name": values["id"], "topic": values["topic"], **patience, **push})


def _drop_subscription(values: Values) -> None:
    with _subscriptions() as client:
        client.delete_subscription(subscription=values["id"])


def _secrets() -> Any:
    from google.cloud import secretmanager_v1

    return secretmanager_v1.SecretManagerServiceClient()


def _make_secret(values: Values) -> None:
    replicas = [{"location": platform.REGION}]
    secret = {"replication": {"user_managed": {"replicas": replicas}}}
    _secrets().create_secret(parent=f"projects/{values['project']}", secret_id=values["secret_id"], secret=secret)


def _drop_secret(values: Values) -> None:
    _secrets().delete_secret(name=values["id"])


def _leave(_values: Values) -> None:
    """What changes of it, nobody asks the API for."""


_NOTHING = (_leave, _leave, _leave)
_PUBSUB = {
    "google_pubsub_topic": (_make_topic, _leave, _drop_topic),
    "google_pubsub_subscription": (_make_subscription, _leave, _drop_subscription),
}
# How each type is made, changed and taken down. Topics are Terraform's stand-in's alone where no emulator is there for them.
KINDS: dict[str, tuple[Callable[[Values], None], Callable[[Values], None], Callable[[Values], None]]] = {
    "google_storage_bucket": (_make_bucket, _leave, _drop_bucket),
    "google_bigquery_dataset": (_make_dataset, _leave, _drop_dataset),
    "google_bigquery_table": (_make_table, _change_table, _drop_table),
    "google_cloud_run_v2_job": (_make_job, _change_job, _drop_job),
    "google_vertex_ai_endpoint": (_make_endpoint, _leave, _drop_endpoint),
    "google_secret_manager_secret": (_make_secret, _leave, _drop_secret),
    **(_PUBSUB if "PUBSUB_EMULATOR_HOST" in os.environ else {}),
}
