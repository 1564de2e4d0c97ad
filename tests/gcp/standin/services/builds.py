"""Cloud Build's triggers (v1) and its connections to where code lies (v2), over REST; nothing is built."""

from __future__ import annotations

import re

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid
from tests.gcp.standin.rest import Request, Response, Route, answer, page

_TRIGGER = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62}[a-zA-Z0-9])?")
_CONNECTION = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_REPOSITORY = re.compile(r"projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+")


def _named_project(request: Request) -> None:
    """The reference calls `projectId` required, though the path has it too."""
    if request.query.get("projectId") != request.names["project"]:
        raise invalid("projectId must be set, and be the project of parent")


def create_trigger(cloud: Cloud, request: Request) -> Response:
    """Make a trigger."""
    _named_project(request)
    given, parent = request.json(), request.path.removeprefix("/v1/").removesuffix("/triggers")
    if not _TRIGGER.fullmatch(given.get("name", "")):
        raise invalid(f"Invalid trigger name: {given.get('name')!r}")
    if not _REPOSITORY.fullmatch(given.get("repositoryEventConfig", {}).get("repository", "")):
        raise invalid("repository_event_config.repository must be the name of a repository of a connection")
    if any(each["name"] == given["name"] for each in cloud.below(parent, "triggers")):
        raise Refused("ALREADY_EXISTS", f"trigger {given['name']} already exists")
    number = cloud.next_id()
    made = {**given, "id": number, "resourceName": f"{parent}/triggers/{number}"}
    cloud.resources[made["resourceName"]] = made
    return answer(made)


def list_triggers(cloud: Cloud, request: Request) -> Response:
    """Return a page of a region's triggers."""
    _named_project(request)
    parent = request.path.removeprefix("/v1/").removesuffix("/triggers")
    items, token = page(cloud.below(parent, "triggers"), request.query, 100)
    return answer({**({"triggers": items} if items else {}), **token})  # a list that is empty is left out


def create_connection(cloud: Cloud, request: Request) -> Response:
    """Make a connection to GitHub. A person completes its installation: the settings say whether somebody has."""
    parent, short = (
        request.path.removeprefix("/v2/").removesuffix("/connections"),
        request.query.get("connectionId", ""),
    )
    if not _CONNECTION.fullmatch(short):
        raise invalid(f"Invalid connection_id: {short!r}")
    name = f"{parent}/connections/{short}"
    if name in cloud.resources:
        raise Refused("ALREADY_EXISTS", f"Resource '{name}' already exists")
    cloud.resources[name] = {**request.json(), "name": name}
    return answer({"name": f"{parent}/operations/{cloud.next_id()}", "done": True, "response": {"name": name}})


def get_connection(cloud: Cloud, request: Request) -> Response:
    """Return a connection with the stage of its installation."""
    stage = cloud.settings.connection_stage
    pending = {"message": "Install the Cloud Build app.", "actionUri": "https://github.com/apps/google-cloud-build"}
    state = {"stage": stage, **({} if stage == "COMPLETE" else pending)}
    return answer({**cloud.get(request.path.removeprefix("/v2/")), "installationState": state})


_PARENT = "projects/{project}/locations/{location}"
ROUTES = [
    Route("POST", f"/v1/{_PARENT}/triggers", "cloudbuild.triggers.create", create_trigger),
    Route("GET", f"/v1/{_PARENT}/triggers", "cloudbuild.triggers.list", list_triggers),
    Route("POST", f"/v2/{_PARENT}/connections", "cloudbuild.connections.create", create_connection),
    Route("GET", f"/v2/{_PARENT}/connections/{{connection}}", "cloudbuild.connections.get", get_connection),
]
