"""Checks the builds that apply the specs after a merge: Cloud Build's triggers and its connection to GitHub.

A team may do without them: then another CI or a person applies, and nothing is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlspec.errors import TargetError
from mlspec.state.finding import Finding
from mlspec.targets.gcp.doctor.probe import PLATFORM, GoogleProbe, list_pages, run_check, unknown_finding
from mlspec.targets.gcp.retry import explain_google_errors

_BUILD = "https://cloudbuild.googleapis.com"
_TRIGGERS = ("mlspec-apply", "mlspec-plan")


def check_builds(probe: GoogleProbe) -> Iterator[Finding]:
    """Yield whether the triggers are on, and whether their connection to GitHub is complete."""
    place = probe.place
    url = f"{_BUILD}/v1/projects/{place.project}/locations/{place.region}/triggers"
    try:
        with explain_google_errors("look"):
            found = {
                trigger["name"]: trigger for trigger in list_pages(probe, url, "triggers", projectId=place.project)
            }
    except TargetError as error:
        yield unknown_finding("builds", "triggers", error)
        return
    if not set(_TRIGGERS) & found.keys():
        said = "none: Cloud Build applies nothing, so another CI or a person does (`github` in terraform.tfvars)"
        yield Finding("builds", "triggers", "ok", said)
        return
    yield _judge_triggers(found)
    repositories = {
        found[name].get("repositoryEventConfig", {}).get("repository", "") for name in _TRIGGERS if name in found
    }
    for connection in sorted({name.partition("/repositories/")[0] for name in repositories} - {""}):
        yield _check_connection(probe, connection)


def _judge_triggers(found: dict[str, Any]) -> Finding:
    if absent := [name for name in _TRIGGERS if name not in found]:
        return Finding("builds", "triggers", "missing", f"there is no {' and no '.join(absent)}", PLATFORM)
    if disabled := [name for name in _TRIGGERS if found[name].get("disabled")]:
        return Finding("builds", "triggers", "missing", f"disabled: {', '.join(disabled)}", PLATFORM)
    return Finding("builds", "triggers", "ok", ", ".join(_TRIGGERS))


def _check_connection(probe: GoogleProbe, name: str) -> Finding:
    """Google says itself at which address a person completes a connection."""

    def check() -> Finding:
        connection: Any = probe.get_json(f"{_BUILD}/v2/{name}")
        installation = connection.get("installationState", {})
        if connection.get("disabled"):
            return Finding("builds", "connection", "missing", "it is disabled", PLATFORM)
        if installation.get("stage") != "COMPLETE":
            said = installation.get("message") or f"its installation is {installation.get('stage', 'not begun')}"
            mend = f"open {installation['actionUri']}" if installation.get("actionUri") else PLATFORM
            return Finding("builds", "connection", "missing", said, mend)
        return Finding("builds", "connection", "ok", name.rpartition("/")[2])

    return run_check("builds", "connection", check, PLATFORM)
