"""Where images, topics and subscriptions lie, over REST: Artifact Registry v1, Pub/Sub v1."""

from __future__ import annotations

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid, not_found
from tests.gcp.standin.rest import Request, Response, Route, answer

_REPOSITORY = "/v1/projects/{project}/locations/{location}/repositories/{repository}"


def get_image(cloud: Cloud, request: Request) -> Response:
    """Return an image by digest, or a tag, that the settings say was pushed."""
    name = request.path.removeprefix("/v1/")
    if name not in cloud.settings.images:
        raise not_found(name)
    return answer({"name": name})


def get_topic(cloud: Cloud, request: Request) -> Response:
    """Return a topic."""
    return answer(cloud.get(request.path.removeprefix("/v1/")))


def put_topic(cloud: Cloud, request: Request) -> Response:
    """Make a topic."""
    name = request.path.removeprefix("/v1/")
    return answer(cloud.resources.setdefault(name, {"name": name, **request.json()}))


def get_subscription(cloud: Cloud, request: Request) -> Response:
    """Return a subscription; that of a topic that is gone says so."""
    found = cloud.get(request.path.removeprefix("/v1/"))
    topic = found["topic"] if found["topic"] in cloud.resources else "_deleted-topic_"
    return answer({**found, "topic": topic})


def put_subscription(cloud: Cloud, request: Request) -> Response:
    """Make a subscription of a topic."""
    name, given = request.path.removeprefix("/v1/"), request.json()
    if name in cloud.resources:
        raise Refused("ALREADY_EXISTS", f"Resource already exists in the project (resource={name}).")
    if given.get("topic") not in cloud.resources:
        raise not_found(given.get("topic", ""))
    if not 10 <= given.get("ackDeadlineSeconds", 10) <= 600:
        raise invalid("ack_deadline_seconds is between 10 and 600.")
    cloud.resources[name] = {"ackDeadlineSeconds": 10, **given, "name": name, "state": "ACTIVE"}
    return answer(cloud.resources[name])


_SUBSCRIPTION = "/v1/projects/{project}/subscriptions/{subscription}"
ROUTES = [
    Route("GET", f"{_REPOSITORY}/dockerImages/{{image}}:{{digest}}", "artifactregistry.dockerimages.get", get_image),
    Route("GET", f"{_REPOSITORY}/packages/{{package}}/tags/{{tag}}", "artifactregistry.tags.get", get_image),
    Route("GET", "/v1/projects/{project}/topics/{topic}", "pubsub.topics.get", get_topic),
    Route("PUT", "/v1/projects/{project}/topics/{topic}", "pubsub.topics.create", put_topic),
    Route("GET", _SUBSCRIPTION, "pubsub.subscriptions.get", get_subscription),
    Route("PUT", _SUBSCRIPTION, "pubsub.subscriptions.create", put_subscription),
]
