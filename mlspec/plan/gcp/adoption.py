"""How an apply goes on that Google refused in part: what it made before is adopted, too much at once is asked for one by one.

A terraform that is killed between Google's answer and a note of it leaves a resource that its state does not know: the next apply
is told that there is one already (409). It is mlspec's own if it bears the labels that this forecast's bear; where its kind has no
labels, if its description is the forecast's and nothing of it would change. A managed folder has neither: it stands in a bucket of
mlspec's own. All else that a plan did not show stays as it is.

What Google itself gives a name (alert policies, notification channels, dashboards) is never there already: cut off between the two,
it is made a second time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlspec.state.diagnostic import Diagnostic
from mlspec.state.resource import Json

TerraformPlanJson = Mapping[str, Json]
"""A plan, as `terraform show -json` says it."""

_ALREADY_EXISTS = re.compile(r"Error 409.*(already.?exists|exists already)", re.IGNORECASE | re.DOTALL)
# What Google says where a quota of calls a minute is used up, or another change of the same policy is under way
# (cloud.google.com/apis/design/errors, cloud.google.com/iam/docs/retry-strategy).
_RATE_LIMITED = re.compile(
    r"Error 429|RESOURCE_EXHAUSTED|rateLimitExceeded|concurrent policy changes|Error 409.*\betag\b"
)
_DELAY = re.compile(r'"?retryDelay"?:\s*"?(\d+)')  # google.rpc.RetryInfo, as JSON has it
# The ids by which a resource is imported, from the page of each at
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
# What is left of a replacement whose first half is done.
_SECOND_HALF = {("delete", "create"): ["create"], ("create", "delete"): ["delete"]}


@dataclass(frozen=True, slots=True)
class ApplyRetry:
    """How to go on: what to adopt, by address with its id at Google, and whether to do one thing at a time.

    `delay`: seconds that Google asked to be left alone, 0 where it named none.
    """

    adopt: Mapping[str, str]
    one_at_a_time: bool
    delay: float = 0.0


def is_retryable(diagnostics: Sequence[Diagnostic]) -> bool:
    """Return whether something went wrong, and all of it may be gone on from."""
    return bool(diagnostics) and all(
        _RATE_LIMITED.search(diagnostic.text) or _ALREADY_EXISTS.search(diagnostic.text) for diagnostic in diagnostics
    )


def plan_retry(diagnostics: Sequence[Diagnostic], planned: TerraformPlanJson) -> ApplyRetry | None:
    """Return how to go on; None where anything went wrong that cannot be mended."""
    if not is_retryable(diagnostics):
        return None
    existing = [diagnostic.address for diagnostic in diagnostics if not _RATE_LIMITED.search(diagnostic.text)]
    adopt = {address: import_id for address in existing if (import_id := _import_id(address, planned))}
    delay = max(
        (float(seconds) for diagnostic in diagnostics for seconds in _DELAY.findall(diagnostic.text)), default=0.0
    )
    return ApplyRetry(adopt, len(existing) < len(diagnostics), delay) if len(adopt) == len(existing) else None


def find_objection(first_plan: TerraformPlanJson, next_plan: TerraformPlanJson, adopt: Mapping[str, str]) -> str | None:
    """Return why a plan that adopts must not be carried out in place of the first one; None where it does nothing more."""
    planned_changes = {resource["address"]: resource["change"] for resource in _changing_resources(first_plan)}
    for resource in _changing_resources(next_plan):
        address, change = resource["address"], resource["change"]
        if address in adopt and change["actions"] == ["update"]:
            continue  # whose it is, is asked below
        if address not in planned_changes or not _is_as_planned(planned_changes[address], change):
            return f"{address} would now be changed otherwise than planned ({' and '.join(change['actions'])})"
    return next(
        (
            _foreign_sentence(resource)
            for resource in _managed_resources(next_plan)
            if resource["address"] in adopt and not _is_ours(resource)
        ),
        None,
    )


def _import_id(address: str, planned: TerraformPlanJson) -> str | None:
    """Return a planned resource's id at Google; None where its kind is not adopted, or its names are known only afterwards."""
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
    """Return whether a change, or what is left of it, ends as it was planned and touches nothing else."""
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
    return f"{resource['address']} is there already, and is not this forecast's: somebody else made it, so it stays as it is"


def _changing_resources(plan: TerraformPlanJson) -> Iterator[Mapping[str, Json]]:
    return (resource for resource in _managed_resources(plan) if resource["change"]["actions"] not in _NO_CHANGE)


def _managed_resources(plan: TerraformPlanJson) -> Iterator[Mapping[str, Json]]:
    return (resource for resource in plan.get("resource_changes", ()) if resource["mode"] == "managed")
