"""Where images and topics lie, over REST: Artifact Registry v1, Pub/Sub v1."""

from __future__ import annotations

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import not_found
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


ROUTES = [
    Route("GET", f"{_REPOSITORY}/dockerImages/{{image}}:{{digest}}", "artifactregistry.dockerimages.get", get_image),
    Route("GET", f"{_REPOSITORY}/packages/{{package}}/tags/{{tag}}", "artifactregistry.tags.get", get_image),
    Route("GET", "/v1/projects/{project}/topics/{topic}", "pubsub.topics.get", get_topic),
    Route("PUT", "/v1/projects/{project}/topics/{topic}", "pubsub.topics.create", put_topic),
]
