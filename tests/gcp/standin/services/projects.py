"""Projects, their permissions, their APIs and who pays, over REST: Resource Manager v3, Service Usage v1, Billing v1."""

from __future__ import annotations

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.filters import matcher
from tests.gcp.standin.iam.policies import Need
from tests.gcp.standin.refused import Refused
from tests.gcp.standin.rest import Json, Request, Response, Route, answer, page

# The APIs that mlspec's infrastructure turns on, and that a project here has unless the settings say otherwise.
SERVICES = (
    "aiplatform", "artifactregistry", "bigquery", "bigquerystorage", "binaryauthorization", "cloudbilling", "cloudbuild",
    "cloudfunctions", "cloudkms", "cloudresourcemanager", "cloudscheduler", "composer", "compute", "eventarc", "iam",
    "iamcredentials", "logging", "monitoring", "pubsub", "run", "secretmanager", "serviceusage", "storage", "sts",
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
    """Return which of the asked permissions the caller has."""
    _known(cloud, request.names["project"])
    asked = request.json().get("permissions", [])
    return answer(
        {"permissions": cloud.granted(asked, lambda each: Need(each, f"projects/{request.names['project']}"))}
    )


def get_policy(cloud: Cloud, request: Request) -> Response:
    """Return who has which role on a project; a condition only to who asks for version 3, as an answer of version 1 has none."""
    _known(cloud, request.names["project"])
    version = request.json().get("options", {}).get("requestedPolicyVersion", 0)
    if version not in {0, 1, 3}:
        raise Refused("INVALID_ARGUMENT", f"Invalid requested policy version: {version}")
    members: dict[tuple[str, str], list[str]] = {}
    for grant in cloud.iam.all():
        if grant.resource == f"projects/{request.names['project']}":
            members.setdefault((grant.role, grant.condition), []).append(grant.member)
    bindings = [
        {"role": role, "members": sorted(named), **({"condition": {"expression": condition}} if condition else {})}
        for (role, condition), named in sorted(members.items())
        if version == 3 or not condition
    ]
    return answer({"version": version or 1, "etag": "BwXhqDVkV1A=", **({"bindings": bindings} if bindings else {})})


def get_billing(cloud: Cloud, request: Request) -> Response:
    """Return whether an open billing account pays for a project."""
    project = request.names["project"]
    _known(cloud, project)
    found = {"name": f"projects/{project}/billingInfo", "projectId": project}
    if cloud.settings.billing:  # a field that is false or empty is left out
        found |= {"billingAccountName": "billingAccounts/012345-567890-ABCDEF", "billingEnabled": True}
    return answer(found)


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
    Route(
        "POST", "/v3/projects/{project}:getIamPolicy", "cloudresourcemanager.projects.getIamPolicy", get_policy,
    ),
    Route("GET", "/v1/projects/{project}/services", "serviceusage.services.list", list_services),
    Route(
        "GET", "/v1beta1/projects/{project}/services/{service}/consumerQuotaMetrics/{metric}",
        "serviceusage.consumerQuotaMetrics.get", get_quota,
    ),
    Route("GET", "/v1/projects/{project}/services/{service}", "serviceusage.services.get", get_service),
]  # fmt: skip
BILLING = [
    Route("GET", "/v1/projects/{project}/billingInfo", "cloudbilling.projects.getBillingInfo", get_billing),
]
