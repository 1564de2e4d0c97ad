"""Checks the notification channels of Cloud Monitoring: by one, alerts reach the platform's topic; by others, people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlspec.spec.gcp.labels import MANAGED_BY
from mlspec.state.finding import Finding
from mlspec.targets.gcp.doctor.probe import PLATFORM, GoogleProbe, list_pages, run_check

_MONITORING = "https://monitoring.googleapis.com/v3"
_NAME = "notification channels"


def check_channels(probe: GoogleProbe) -> Finding:
    """Return whether a channel leads to the platform's topic, and all of mlspec's channels forward what they are given.

    A channel that has to be verified and is not forwards nothing
    (cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.notificationChannels#verificationstatus).
    """
    place = probe.place

    def check() -> Finding:
        url = f"{_MONITORING}/projects/{place.project}/notificationChannels"
        channels = [channel for channel in list_pages(probe, url, "notificationChannels") if _is_own(channel)]
        problem = _describe_problem(channels, place.alerts_topic)
        if problem:
            return Finding("loop", _NAME, "missing", *problem)
        return Finding("loop", _NAME, "ok", f"{len(channels)} of mlspec, one of them to {place.alerts_topic}")

    return run_check("loop", _NAME, check, PLATFORM)


def _is_own(channel: Any) -> bool:
    return MANAGED_BY.items() <= dict(channel.get("userLabels", {})).items()


def _describe_problem(channels: Sequence[Any], topic: str) -> tuple[str, str] | None:
    """Return what is wrong with mlspec's channels and how to fix it; None if nothing is."""
    if not any(channel.get("labels", {}).get("topic") == topic for channel in channels):
        return f"none leads to {topic}", PLATFORM
    off = next((channel for channel in channels if channel.get("enabled") is False), None)
    if off is not None:
        return f"'{off['displayName']}' is disabled", f"gcloud beta monitoring channels update {off['name']} --enabled"
    unverified = next((channel for channel in channels if channel.get("verificationStatus") == "UNVERIFIED"), None)
    if unverified is not None:
        said = f"'{unverified['displayName']}' has not been verified, and forwards nothing until then"
        return said, "verify it in the console, under Monitoring, Alerting, Edit notification channels"
    return None
