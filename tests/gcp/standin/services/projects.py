"""Projects, their permissions and their APIs, over REST: Resource Manager v3, Service Usage v1."""

from __future__ import annotations

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.filters import matcher
from tests.gcp.standin.refused import Refused
from tests.gcp.standin.rest import Json, Request, Response, Route, answer, page

# The APIs that mlspec's infrastructure turns on, and that a project here has unless the settings say otherwise.
SERVICES = (
    "aiplatform", "artifactregistry", "bigquery", "bigquerystorage", "cloudbuild", "cloudfunctions", "cloudkms",
    "cloudresourcemanager", "cloudscheduler", "composer", "compute", "eventarc", "iam", "logging", "monitoring", "pubsub", "run",
    "secretmanager", "serviceusage", "storage",
)  # fmt: skip
NUMBER = "123456789012"


def _known(cloud: Cloud, project: str) -> None:
    if project not in {cloud.environment["GOOGLE_CLOUD_PROJECT"], NUMBER}:
        raise Refused("PERMISSION_DENIED", f"Permission denied on resource project {project} (or it may not exist).")


def get_project(cloud: Cloud, request: Request) -> Response:
    """Return the account's project; any other is denied, whether or not it exists."""
    _known(cloud, request.names["project"])
    own = cloud.environment["GOOGLE_CLOUD_PROJECT"]
    return answer({"name": f"projects/{NUMBER}", "projectId": own, "state": "ACTIVE", "displayName": own})


def test_permissions(cloud: Cloud, request: Request) -> Response:
    """Return the asked permissions that the settings do not deny."""
    _known(cloud, request.names["project"])
    asked = request.json().get("permissions", [])
    return answer({"permissions": [each for each in asked if each not in cloud.settings.denied]})


def _service(cloud: Cloud, project: str, name: str) -> Json:
    api = f"{name}.googleapis.com"
    state = "DISABLED" if api in cloud.settings.disabled_services else "ENABLED"
    return {"name": f"projects/{project}/services/{api}", "config": {"name": api}, "state": state}


def list_services(cloud: Cloud, request: Request) -> Response:
    """Return a project's APIs, those that are on with `state:ENABLED`."""
    _known(cloud, request.names["project"])
    test = matcher(request.query.get("filter", ""))
    found = [_service(cloud, request.names["project"], each) for each in SERVICES]
    items, token = page([each for each in found if test(each)], request.query, 200)
    return answer({"services": items, **token})


def get_service(cloud: Cloud, request: Request) -> Response:
    """Return one API of a project."""
    _known(cloud, request.names["project"])
    name = request.names["service"].removesuffix(".googleapis.com")
    if name not in SERVICES:
        raise Refused("NOT_FOUND", f"Service {request.names['service']} not found.")
    return answer(_service(cloud, request.names["project"], name))


def get_quota(cloud: Cloud, request: Request) -> Response:
    """Return a metric with its limit, as v1beta1 has it; one that the settings do not name has no limit."""
    _known(cloud, request.names["project"])
    metric = request.names["metric"]
    limit = str(cloud.settings.quotas.get(metric, -1))
    buckets = [{"effectiveLimit": limit, "defaultLimit": limit}]
    return answer({"metric": metric, "consumerQuotaLimits": [{"metric": metric, "quotaBuckets": buckets}]})


ROUTES = [
    Route("GET", "/v3/projects/{project}", "cloudresourcemanager.projects.get", get_project),
    Route(
        "POST", "/v3/projects/{project}:testIamPermissions", "cloudresourcemanager.projects.testIamPermissions",
        test_permissions,
    ),
    Route("GET", "/v1/projects/{project}/services", "serviceusage.services.list", list_services),
    Route(
        "GET", "/v1beta1/projects/{project}/services/{service}/consumerQuotaMetrics/{metric}",
        "serviceusage.consumerQuotaMetrics.get", get_quota,
    ),
    Route("GET", "/v1/projects/{project}/services/{service}", "serviceusage.services.get", get_service),
]  # fmt: skip
