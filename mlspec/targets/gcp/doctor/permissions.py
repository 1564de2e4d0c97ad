"""Checks the enabled APIs of a project, the account's permissions and the quotas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from mlspec.errors import TargetError
from mlspec.spec.object_address import bucket_address
from mlspec.state.finding import Finding, Grant, Quota
from mlspec.state.resource import Json
from mlspec.targets.gcp.doctor.probe import (
    PLATFORM,
    PROJECTS,
    TIMEOUT,
    GoogleProbe,
    list_pages,
    run_check,
    unknown_finding,
)
from mlspec.targets.gcp.retry import explain_google_errors

_USAGE = "https://serviceusage.googleapis.com"


def check_apis(probe: GoogleProbe, api_names: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding for each API: whether it is enabled."""
    try:
        with explain_google_errors("look"):
            on = set(_enabled_apis(probe))
    except TargetError as error:
        yield unknown_finding("APIs", "all", error)
        return
    for name in api_names:
        mend = f"gcloud services enable {name} --project={probe.place.project}"
        yield Finding("APIs", name, "ok", "on") if name in on else Finding("APIs", name, "missing", "off", mend)


def _enabled_apis(probe: GoogleProbe) -> Iterator[str]:
    url = f"{_USAGE}/v1/projects/{probe.place.project}/services"
    services = list_pages(probe, url, "services", filter="state:ENABLED", pageSize="200")
    yield from (service["config"]["name"] for service in services)


def check_grant(probe: GoogleProbe, needed_grant: Grant) -> Finding:
    """Return whether the account has the permissions of one role."""
    name = f"{needed_grant.what} in {needed_grant.bucket}" if needed_grant.bucket else needed_grant.what
    bucket_command = f"storage buckets add-iam-policy-binding {bucket_address(needed_grant.bucket)}"
    where = bucket_command if needed_grant.bucket else f"projects add-iam-policy-binding {probe.place.project}"
    mend = f"gcloud {where} --member={probe.member} --role={needed_grant.role}"

    def check() -> Finding:
        permissions = _granted_permissions(probe, needed_grant)
        lacking = ", ".join(permission for permission in needed_grant.permissions if permission not in permissions)
        if lacking:
            return Finding("roles", name, "missing", f"this account lacks {lacking}", mend)
        return Finding("roles", name, "ok", "allowed")

    return run_check("roles", name, check, f"{PLATFORM} && {mend}")


def _granted_permissions(probe: GoogleProbe, needed_grant: Grant) -> set[str]:
    permissions = list(needed_grant.permissions)
    if needed_grant.bucket:
        bucket = probe.clients.storage.bucket(needed_grant.bucket)
        return set(bucket.test_iam_permissions(permissions, timeout=TIMEOUT, retry=None))
    answer: Any = probe.post_json(f"{PROJECTS}/{probe.place.project}:testIamPermissions", {"permissions": permissions})
    return set(answer.get("permissions", ()))


def check_quota(probe: GoogleProbe, needed_quota: Quota) -> Finding:
    """Return whether a quota's limit is enough for one run. The current use is not known here."""
    service, place = f"{needed_quota.service}.googleapis.com", probe.place
    metric = quote(f"{service}/{needed_quota.metric}", safe="")
    url = f"{_USAGE}/v1beta1/projects/{place.project}/services/{service}/consumerQuotaMetrics/{metric}"
    mend = (
        f"gcloud beta quotas preferences create --service={service} --quota-id={needed_quota.id}"
        f" --preferred-value={needed_quota.needed} --dimensions=region={place.region} --project={place.project}"
    )

    def check() -> Finding:
        limit = limit_of(_quota_metric(probe, url), place.region)
        if limit is None:
            return Finding("quotas", needed_quota.what, "unknown", f"Google reports no limit of {needed_quota.id}")
        if 0 <= limit < needed_quota.needed:
            return Finding(
                "quotas",
                needed_quota.what,
                "missing",
                f"{needed_quota.id} is {limit}, below {needed_quota.needed}",
                mend,
            )
        return Finding(
            "quotas", needed_quota.what, "ok", f"{needed_quota.id} is {limit if limit >= 0 else 'unlimited'}"
        )

    return run_check("quotas", needed_quota.what, check, mend)


def _quota_metric(probe: GoogleProbe, url: str) -> dict[str, Json]:
    """Return a quota metric; empty if Google does not know it, which is not an error."""
    from google.api_core.exceptions import NotFound

    try:
        return probe.get_json(url)
    except NotFound:
        return {}


def limit_of(metric: Any, region: str) -> int | None:
    """Return a metric's limit in a region, else its global one. -1 means unlimited, None that Google reports no limit."""
    buckets = [item for limit in metric.get("consumerQuotaLimits", ()) for item in limit.get("quotaBuckets", ())]
    own = [item for item in buckets if item.get("dimensions", {}).get("region") == region]
    applicable = own or [item for item in buckets if not item.get("dimensions")]
    limits = [int(item["effectiveLimit"]) for item in applicable if "effectiveLimit" in item]
    return min(limits, key=lambda item: item if item >= 0 else float("inf"), default=None)
