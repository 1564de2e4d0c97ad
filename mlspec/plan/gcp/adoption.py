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

from mlspec.state.diagnostic import Wrong
from mlspec.state.resource import Json

Shown = Mapping[str, Json]
"""A plan, as `terraform show -json` says it."""

_THERE = re.compile(r"Error 409.*(already.?exists|exists already)", re.IGNORECASE | re.DOTALL)
# What Google says where a quota of calls a minute is used up, or another change of the same policy is under way
# (cloud.google.com/apis/design/errors, cloud.google.com/iam/docs/retry-strategy).
_TOO_MUCH = re.compile(r"Error 429|RESOURCE_EXHAUSTED|rateLimitExceeded|concurrent policy changes|Error 409.*\betag\b")
_DELAY = re.compile(r'"?retryDelay"?:\s*"?(\d+)')  # google.rpc.RetryInfo, as JSON has it
# The ids by which a resource is imported, from the page of each at
# https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources.
_IDS = {
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
_NOTHING = (["no-op"], ["read"])
_TELLING = ("description", "display_name")
# What is left of a replacement whose first half is done.
_SECOND_HALF = {("delete", "create"): ["create"], ("create", "delete"): ["delete"]}


@dataclass(frozen=True, slots=True)
class Again:
    """How to go on: what to adopt, by address with its id at Google, and whether to do one thing at a time.

    `delay`: seconds that Google asked to be left alone, 0 where it named none.
    """

    adopt: Mapping[str, str]
    slower: bool
    delay: float = 0.0


def mendable(wrong: Sequence[Wrong]) -> bool:
    """Return whether something went wrong, and all of it may be gone on from."""
    return bool(wrong) and all(_TOO_MUCH.search(each.text) or _THERE.search(each.text) for each in wrong)


def again(wrong: Sequence[Wrong], planned: Shown) -> Again | None:
    """Return how to go on; None where anything went wrong that cannot be mended."""
    if not mendable(wrong):
        return None
    there = [each.address for each in wrong if not _TOO_MUCH.search(each.text)]
    adopt = {address: found for address in there if (found := _id(address, planned))}
    delay = max((float(seconds) for each in wrong for seconds in _DELAY.findall(each.text)), default=0.0)
    return Again(adopt, len(there) < len(wrong), delay) if len(adopt) == len(there) else None


def objection(first: Shown, now: Shown, adopt: Mapping[str, str]) -> str | None:
    """Return why a plan that adopts must not be carried out in place of the first one; None where it does nothing more."""
    shown = {each["address"]: each["change"] for each in _acting(first)}
    for each in _acting(now):
        address, change = each["address"], each["change"]
        if address in adopt and change["actions"] == ["update"]:
            continue  # whose it is, is asked below
        if address not in shown or not _as_shown(shown[address], change):
            return f"{address} would now be changed otherwise than planned ({' and '.join(change['actions'])})"
    return next((_not_ours(each) for each in _managed(now) if each["address"] in adopt and not _ours(each)), None)


def _id(address: str, planned: Shown) -> str | None:
    """Return a planned resource's id at Google; None where its kind is not adopted, or its names are known only afterwards."""
    found = next((each for each in _acting(planned) if each["address"] == address), None)
    if found is None or found["type"] not in _IDS:
        return None
    try:
        return _IDS[found["type"]].format_map({k: v for k, v in found["change"]["after"].items() if v is not None})
    except KeyError:
        return None


def _as_shown(planned: Mapping[str, Json], change: Mapping[str, Json]) -> bool:
    """Return whether a change, or what is left of it, ends as it was planned and touches nothing else."""
    if change["actions"] not in (planned["actions"], _SECOND_HALF.get(tuple(planned["actions"]))):
        return False
    before, after, wanted = change["before"] or {}, change["after"] or {}, planned["after"] or {}
    open_ = {key for key, value in (planned.get("after_unknown") or {}).items() if _unknown(value)}
    touched = {key for key in after if change["actions"] == ["update"] and before.get(key) != after[key]}
    meant = {key for key in wanted if (planned["before"] or {}).get(key) != wanted[key]} | open_
    return touched <= meant and all(after.get(key) == value for key, value in wanted.items() if key not in open_)


def _unknown(value: Json) -> bool:
    if isinstance(value, Mapping):
        return any(map(_unknown, value.values()))
    return any(map(_unknown, value)) if isinstance(value, list) else bool(value)


def _ours(each: Mapping[str, Json]) -> bool:
    before, after = each["change"]["before"] or {}, each["change"]["after"] or {}
    wanted = after.get("labels")
    if wanted:
        has = before.get("effective_labels") or before.get("labels") or {}
        return all(has.get(key) == value for key, value in wanted.items())
    told = (key for key in _TELLING if after.get(key))
    same = (key for key in after if before.get(key) is not None)
    return all(before.get(key) == after[key] for key in (*told, *same))


def _not_ours(each: Mapping[str, Json]) -> str:
    return (
        f"{each['address']} is there already, and is not this forecast's: somebody else made it, so it stays as it is"
    )


def _acting(shown: Shown) -> Iterator[Mapping[str, Json]]:
    return (each for each in _managed(shown) if each["change"]["actions"] not in _NOTHING)


def _managed(shown: Shown) -> Iterator[Mapping[str, Json]]:
    return (each for each in shown.get("resource_changes", ()) if each["mode"] == "managed")
