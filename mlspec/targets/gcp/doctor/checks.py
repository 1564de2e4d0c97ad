"""Checks a Google Cloud project and region for everything that forecasts need. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from mlspec.errors import MissingExtra, TargetError
from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.finding import CloudRequirements, Finding
from mlspec.targets.gcp.doctor import permissions, resources
from mlspec.targets.gcp.doctor.probe import SIGN_IN, GoogleProbe


def check_up(place: GcpLocation, needs: CloudRequirements, image: str | None) -> Iterator[Finding]:
    """Yield the findings in the order in which to fix them. Without a login, nothing else can be checked."""
    try:
        probe = GoogleProbe(place)
    except MissingExtra as error:
        yield Finding("account", "Google Cloud", "unknown", error.message, error.hint or "")
        return
    except TargetError as error:
        absent = "DefaultCredentialsError" in error.message
        mend = SIGN_IN if absent else error.hint or ""
        yield Finding("account", "login", "missing" if absent else "unknown", error.message, mend)
        yield Finding("account", "all else in the project", "unknown", "cannot be checked without a login")
        return
    with closing(probe):
        yield Finding("account", "login", "ok", probe.member.partition(":")[0])
        yield from permissions.check_apis(probe, needs.apis)
        yield from _check_platform(probe, needs, image)
        yield from (permissions.check_grant(probe, need) for need in needs.grants)
        yield from (permissions.check_quota(probe, need) for need in needs.quotas)
        yield from (resources.check_topic(probe, need) for need in needs.topics)
        yield from (resources.check_secret(probe, need) for need in needs.secrets)


def _check_platform(probe: GoogleProbe, needs: CloudRequirements, image: str | None) -> Iterator[Finding]:
    yield from (resources.check_bucket(probe, need) for need in needs.platform_buckets)
    yield resources.check_key(probe)
    yield resources.check_image(probe, image)
    yield resources.check_composer(probe, needs.airflow)
