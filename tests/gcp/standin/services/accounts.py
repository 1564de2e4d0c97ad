"""A project's service accounts and custom roles, over REST: IAM v1. What they allow, `iam` evaluates."""

from __future__ import annotations

import re

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid
from tests.gcp.standin.rest import Request, Response, Route, answer, page

_ID = re.compile(r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])")  # cloud.google.com/iam/docs/service-accounts-create
_PAGE, _MOST = 20, 100  # of accounts; cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/list
_ROLES = 300  # on a page, if the caller does not say; cloud.google.com/iam/docs/reference/rest/v1/projects.roles/list


def create_account(cloud: Cloud, request: Request) -> Response:
    """Make a service account under an id."""
    project, given = request.names["project"], request.json()
    if not _ID.fullmatch(given.get("accountId", "")):
        raise invalid(
            "Account ID must be 6 to 30 lowercase letters, digits and hyphens, a letter first, no hyphen last."
        )
    email = f"{given['accountId']}@{project}.iam.gserviceaccount.com"
    name = f"projects/{project}/serviceAccounts/{email}"
    if name in cloud.resources:
        raise Refused("ALREADY_EXISTS", f"Service account {given['accountId']} already exists within project {name}.")
    cloud.resources[name] = {**given.get("serviceAccount", {}), "name": name, "email": email, "projectId": project}
    return answer(cloud.resources[name])


def list_accounts(cloud: Cloud, request: Request) -> Response:
    """Return a page of a project's accounts."""
    found = cloud.below(f"projects/{request.names['project']}", "serviceAccounts")
    size = min(int(request.query.get("pageSize") or _PAGE), _MOST)
    items, token = page(found, request.query, size)
    return answer({"accounts": items, **token})


def disable_account(cloud: Cloud, request: Request) -> Response:
    """Disable an account; it stays."""
    cloud.get(request.path.removeprefix("/v1/").removesuffix(":disable"))["disabled"] = True
    return answer({})


def list_roles(cloud: Cloud, request: Request) -> Response:
    """Return a page of a project's own roles; their permissions are in the view FULL alone."""
    parent, full = f"projects/{request.names['project']}/roles/", request.query.get("view") == "FULL"
    if request.query.get("view", "BASIC") not in {"BASIC", "FULL"}:
        raise invalid(f"Invalid value at 'view': {request.query['view']!r}")
    found = [
        {"name": name, **({"includedPermissions": sorted(permissions)} if full else {})}
        for name, permissions in sorted(cloud.iam.custom.items())
        if name.startswith(parent)
    ]
    items, token = page(found, request.query, int(request.query.get("pageSize") or _ROLES))
    return answer({"roles": items, **token})


_ACCOUNTS = "/v1/projects/{project}/serviceAccounts"
ROUTES = [
    Route("POST", _ACCOUNTS, "iam.serviceAccounts.create", create_account),
    Route("GET", _ACCOUNTS, "iam.serviceAccounts.list", list_accounts),
    Route("POST", f"{_ACCOUNTS}/{{account}}:disable", "iam.serviceAccounts.disable", disable_account),
    Route("GET", "/v1/projects/{project}/roles", "iam.roles.list", list_roles),
]
