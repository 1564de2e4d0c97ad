"""Decides how to retry an apply that Google refused in part: import existing resources, send fewer requests at once, or wait.

If terraform is killed after Google made a resource and before the state records it, the next apply fails: the resource exists
already (409). It is this forecast's own if it carries the forecast's labels. If its kind has no labels, it is the forecast's
own if its description is the forecast's and the plan would not change it. A managed folder has neither, and lies in a bucket of
mlspec's own. Everything else that the plan does not show is left alone.

Google generates the names of alert policies, notification channels and dashboards, so these never exist already: an apply that
is interrupted at one of them makes a second one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlspec.plan.gcp.propagation import Propagation, find_propagation, shortest_propagation
from mlspec.state.diagnostic import Diagnostic
from mlspec.state.resource import Json

TerraformPlanJson = Mapping[str, Json]
"""A plan, as `terraform show -json` prints it."""

_ALREADY_EXISTS = re.compile(r"Error 409.*(already.?exists|exists already)", re.IGNORECASE | re.DOTALL)
# Google's errors when a quota of calls a minute is used up, or when another change of the same policy is running
# (cloud.google.com/apis/design/errors, cloud.google.com/iam/docs/retry-strategy).
_RATE_LIMITED = re.compile(
    r"Error 429|RESOURCE_EXHAUSTED|rateLimitExceeded|concurrent policy changes|Error 409.*\betag\b"
)
_DELAY = re.compile(r'"?retryDelay"?:\s*"?(\d+)')  # google.rpc.RetryInfo, as JSON has it
# The import id of each kind of resource, from its page at
# https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources.
_IMPORT_IDS = {
    "google_bigquery_dataset": "projects/{project}/datasets/{dataset_id}",
    "google_bigquery_table": "projects/{project}/datasets/{dataset_id}/tables/{table_id}",
    "google_cloud_run_v2_job": "projects/{project}/locations/{location}/jobs/{name}",
    "google_logging_metric": "{name}",
    "google_pubsub_subscription": "projects/{project}/subscriptions/{name}",
    "google_pubsub_topic": "projects/{project}/topics/{name}",
    "google_secret_manager_secret": "projects/{project}/secrets/{secret_id}",
    "google_service_account": "projects/{project}/serviceAccounts/{account_id}@{project}.iam.gserviceaccount.com",
    "google_storage_managed_folder": "{bucket}/{name}",
    "google_vertex_ai_endpoint": "projects/{project}/locations/{location}/endpoints/{name}",
}
_NO_CHANGE = (["no-op"], ["read"])
_DESCRIPTIVE_KEYS = ("description", "display_name")
# The remaining action of a replacement whose first half is done.
_SECOND_HALF = {("delete", "create"): ["create"], ("create", "delete"): ["delete"]}


@dataclass(frozen=True, slots=True)
class ApplyRetry:
    """How to retry an apply: the resources to import (address: id at Google), and whether to send one request at a time.

    `delay` is the pause in seconds that Google asked for, 0 if it named none. `awaited` is a change that has not reached all of
    Google's systems yet.
    """

    adopt: Mapping[str, str]
    one_at_a_time: bool
    delay: float = 0.0
    awaited: Propagation | None = None


def is_retryable(diagnostics: Sequence[Diagnostic]) -> bool:
    """Return whether there are errors and each of them can be retried."""
    return bool(diagnostics) and all(
        _passes(diagnostic) or _ALREADY_EXISTS.search(diagnostic.text) for diagnostic in diagnostics
    )


def _passes(diagnostic: Diagnostic) -> bool:
    """Return whether an error passes by itself."""
    return bool(_RATE_LIMITED.search(diagnostic.text) or find_propagation(diagnostic))


def plan_retry(diagnostics: Sequence[Diagnostic], planned: TerraformPlanJson) -> ApplyRetry | None:
    """Return how to retry; None if one of the errors cannot be retried."""
    if not is_retryable(diagnostics):
        return None
    existing = [diagnostic.address for diagnostic in diagnostics if not _passes(diagnostic)]
    limited = any(_RATE_LIMITED.search(diagnostic.text) for diagnostic in diagnostics)
    adopt = {address: import_id for address in existing if (import_id := _import_id(address, planned))}
    delay = max(
        (float(seconds) for diagnostic in diagnostics for seconds in _DELAY.findall(diagnostic.text)), default=0.0
    )
    if len(adopt) < len(existing):
        return None
    return ApplyRetry(adopt, limited, delay, shortest_propagation(diagnostics))


def find_objection(first_plan: TerraformPlanJson, next_plan: TerraformPlanJson, adopt: Mapping[str, str]) -> str | None:
    """Return why the new plan, with imports, must not replace the first plan; None if it does nothing more."""
    planned_changes = {resource["address"]: resource["change"] for resource in _changing_resources(first_plan)}
    for resource in _changing_resources(next_plan):
        address, change = resource["address"], resource["change"]
        if address in adopt and change["actions"] == ["update"]:
            continue  # its owner is checked below
        if address not in planned_changes or not _is_as_planned(planned_changes[address], change):
            return f"{address} would now change in another way than planned ({' and '.join(change['actions'])})"
    return next(
        (
            _foreign_sentence(resource)
            for resource in _managed_resources(next_plan)
            if resource["address"] in adopt and not _is_ours(resource)
        ),
        None,
    )


def _import_id(address: str, planned: TerraformPlanJson) -> str | None:
    """Return a planned resource's id at Google; None if its kind is not imported, or its name is known only after apply."""
    resource = next((entry for entry in _changing_resources(planned) if entry["address"] == address), None)
    if resource is None or resource["type"] not in _IMPORT_IDS:
        return None
    try:
        return _IMPORT_IDS[resource["type"]].format_map(
            {k: v for k, v in resource["change"]["after"].items() if v is not None}
        )
    except KeyError:
        return None


def _is_as_planned(planned: Mapping[str, Json], change: Mapping[str, Json]) -> bool:
    """Return whether a change, or the rest of it, ends as planned and changes nothing else."""
    if change["actions"] not in (planned["actions"], _SECOND_HALF.get(tuple(planned["actions"]))):
        return False
    before, after, planned_after = change["before"] or {}, change["after"] or {}, planned["after"] or {}
    unknown_keys = {key for key, value in (planned.get("after_unknown") or {}).items() if _is_unknown(value)}
    changed_keys = {key for key in after if change["actions"] == ["update"] and before.get(key) != after[key]}
    planned_keys = {
        key for key in planned_after if (planned["before"] or {}).get(key) != planned_after[key]
    } | unknown_keys
    return changed_keys <= planned_keys and all(
        after.get(key) == value for key, value in planned_after.items() if key not in unknown_keys
    )


def _is_unknown(value: Json) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_unknown, value.values()))
    return any(map(_is_unknown, value)) if isinstance(value, list) else bool(value)


def _is_ours(resource: Mapping[str, Json]) -> bool:
    before, after = resource["change"]["before"] or {}, resource["change"]["after"] or {}
    labels = after.get("labels")
    if labels:
        labels_before = before.get("effective_labels") or before.get("labels") or {}
        return all(labels_before.get(key) == value for key, value in labels.items())
    described_keys = (key for key in _DESCRIPTIVE_KEYS if after.get(key))
    kept_keys = (key for key in after if before.get(key) is not None)
    return all(before.get(key) == after[key] for key in (*described_keys, *kept_keys))


def _foreign_sentence(resource: Mapping[str, Json]) -> str:
    return f"{resource['address']} exists already and does not carry this forecast's labels, so it is left alone"


def _changing_resources(plan: TerraformPlanJson) -> Iterator[Mapping[str, Json]]:
    return (resource for resource in _managed_resources(plan) if resource["change"]["actions"] not in _NO_CHANGE)


def _managed_resources(plan: TerraformPlanJson) -> Iterator[Mapping[str, Json]]:
    return (resource for resource in plan.get("resource_changes", ()) if resource["mode"] == "managed")
