"""Checks a Google Cloud project and region for everything that forecasts need. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from mlspec.errors import MissingExtra, TargetError
from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.finding import CloudRequirements, Finding
from mlspec.targets.gcp.doctor import forecasts, permissions, project, resources
from mlspec.targets.gcp.doctor.builds import check_builds
from mlspec.targets.gcp.doctor.channels import check_channels
from mlspec.targets.gcp.doctor.function import check_function
from mlspec.targets.gcp.doctor.loop import check_loop
from mlspec.targets.gcp.doctor.network import check_network
from mlspec.targets.gcp.doctor.probe import SIGN_IN, GoogleProbe

_DENIED = "denied on resource"  # in Google's words for a permission that the account lacks; those for an API that is off are others


def check_up(place: GcpLocation, needs: CloudRequirements, root: Path, image: str | None) -> Iterator[Finding]:
    """Yield the findings in the order in which to fix them, which is that of the steps in docs/google-cloud.md.

    Without a login, nothing else can be checked.
    """
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
        for finding in _check_all(probe, needs, root, image):
            yield _with_role(finding, probe)


def _check_all(probe: GoogleProbe, needs: CloudRequirements, root: Path, image: str | None) -> Iterator[Finding]:
    yield project.check_billing(probe)
    yield from permissions.check_apis(probe, needs.apis)
    yield from (permissions.check_quota(probe, need) for need in needs.quotas)
    yield project.check_terraform_bucket(probe, project.terraform_bucket(root, probe.place.project))
    yield from _check_platform(probe, needs)
    yield from (permissions.check_grant(probe, need) for need in needs.grants)
    yield from (forecasts.check_source(probe, uri) for uri in needs.sources)
    yield from (resources.tell_foreign_source(need) for need in needs.foreign_sources)
    yield from check_builds(probe)
    yield from _check_forecasts(probe, needs, image)


def _check_forecasts(probe: GoogleProbe, needs: CloudRequirements, image: str | None) -> Iterator[Finding]:
    yield resources.check_image(probe, image)
    for parts in needs.forecasts:
        yield from forecasts.check_forecast(probe, parts)
    yield from (resources.check_topic(probe, need) for need in needs.topics)
    yield from (resources.check_secret(probe, need) for need in needs.secrets)
    yield from check_loop(probe)
    yield check_channels(probe)


def _check_platform(probe: GoogleProbe, needs: CloudRequirements) -> Iterator[Finding]:
    yield from project.check_identities(probe, needs.identities)
    yield from (resources.check_bucket(probe, need) for need in needs.platform_buckets)
    yield resources.check_key(probe)
    yield check_network(probe)
    yield resources.check_composer(probe, needs.airflow)
    yield check_function(probe)


def _with_role(finding: Finding, probe: GoogleProbe) -> Finding:
    """Return a finding that Google refused with the command for the role that allows it; for objects, `roles` names another."""
    if finding.status != "unknown" or _DENIED not in finding.said or "storage.objects." in finding.said:
        return finding
    name = probe.place.project
    role = f"projects/{name}/roles/mlspecDoctor"
    return replace(finding, mend=f"gcloud projects add-iam-policy-binding {name} --member={probe.member} --role={role}")
