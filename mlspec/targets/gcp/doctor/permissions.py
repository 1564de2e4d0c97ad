"""What an account may do in a project: its APIs that are on, its permissions, and how much of a quota there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from mlspec.errors import TargetError
from mlspec.state.finding import Finding, Grant, Quota
from mlspec.state.resource import Json
from mlspec.targets.gcp.doctor.probe import PLATFORM, TIMEOUT, Asking, looked_at, unknown
from mlspec.targets.gcp.retry import words

_USAGE = "https://serviceusage.googleapis.com"
_PROJECTS = "https://cloudresourcemanager.googleapis.com/v3/projects"


def apis(asking: Asking, wanted: Sequence[str]) -> Iterator[Finding]:
    """Yield of each API whether it is on."""
    try:
        with words("look"):
            on = set(_enabled(asking))
    except TargetError as error:
        yield unknown("APIs", "all", error)
        return
    for name in wanted:
        mend = f"gcloud services enable {name} --project={asking.place.project}"
        yield Finding("APIs", name, "ok", "on") if name in on else Finding("APIs", name, "missing", "off", mend)


def _enabled(asking: Asking) -> Iterator[str]:
    query = {"filter": "state:ENABLED", "pageSize": "200"}
    while True:
        found: Any = asking.get(f"{_USAGE}/v1/projects/{asking.place.project}/services", **query)
        yield from (each["config"]["name"] for each in found.get("services", ()))
        if not found.get("nextPageToken"):
            return
        query["pageToken"] = found["nextPageToken"]


def grant(asking: Asking, wanted: Grant) -> Finding:
    """Return whether the account may do what one role brings."""
    name = f"{wanted.what} in {wanted.bucket}" if wanted.bucket else wanted.what
    place = f"storage buckets add-iam-policy-binding gs://{wanted.bucket}"
    where = place if wanted.bucket else f"projects add-iam-policy-binding {asking.place.project}"
    mend = f"gcloud {where} --member={asking.member} --role={wanted.role}"

    def look() -> Finding:
        held = _held(asking, wanted)
        lacking = ", ".join(each for each in wanted.permissions if each not in held)
        if lacking:
            return Finding("roles", name, "missing", f"this account lacks {lacking}", mend)
        return Finding("roles", name, "ok", "allowed")

    return looked_at("roles", name, look, f"{PLATFORM} && {mend}")


def _held(asking: Asking, wanted: Grant) -> set[str]:
    asked = list(wanted.permissions)
    if wanted.bucket:
        bucket = asking.clients.storage.bucket(wanted.bucket)
        return set(bucket.test_iam_permissions(asked, timeout=TIMEOUT, retry=None))
    found: Any = asking.post(f"{_PROJECTS}/{asking.place.project}:testIamPermissions", {"permissions": asked})
    return set(found.get("permissions", ()))


def quota(asking: Asking, wanted: Quota) -> Finding:
    """Return whether a quota takes one run. How much of it is in use is not known here."""
    service, place = f"{wanted.service}.googleapis.com", asking.place
    metric = quote(f"{service}/{wanted.metric}", safe="")
    url = f"{_USAGE}/v1beta1/projects/{place.project}/services/{service}/consumerQuotaMetrics/{metric}"
    mend = (
        f"gcloud beta quotas preferences create --service={service} --quota-id={wanted.id}"
        f" --preferred-value={wanted.needed} --dimensions=region={place.region} --project={place.project}"
    )

    def look() -> Finding:
        limit = limit_of(_metric(asking, url), place.region)
        if limit is None:
            return Finding("quotas", wanted.what, "unknown", f"Google names no limit of {wanted.id}")
        if 0 <= limit < wanted.needed:
            return Finding("quotas", wanted.what, "missing", f"{wanted.id} is {limit}, below {wanted.needed}", mend)
        return Finding("quotas", wanted.what, "ok", f"{wanted.id} is {limit if limit >= 0 else 'unlimited'}")

    return looked_at("quotas", wanted.what, look, mend)


def _metric(asking: Asking, url: str) -> dict[str, Json]:
    """Return a metric; empty where Google knows none of that name, which is no limit that is too low."""
    from google.api_core.exceptions import NotFound

    try:
        return asking.get(url)
    except NotFound:
        return {}


def limit_of(metric: Any, region: str) -> int | None:
    """Return a metric's limit in a region: its own, else the one for any region; -1 is none, None is that none is said."""
    buckets = [each for limit in metric.get("consumerQuotaLimits", ()) for each in limit.get("quotaBuckets", ())]
    own = [each for each in buckets if each.get("dimensions", {}).get("region") == region]
    found = own or [each for each in buckets if not each.get("dimensions")]
    limits = [int(each["effectiveLimit"]) for each in found if "effectiveLimit" in each]
    return min(limits, key=lambda each: each if each >= 0 else float("inf"), default=None)
