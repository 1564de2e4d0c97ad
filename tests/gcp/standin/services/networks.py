"""Compute Engine's subnetworks, over REST (v1), as far as somebody looks at one."""

from __future__ import annotations

import ipaddress
import re

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid
from tests.gcp.standin.rest import Request, Response, Route, answer

_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")


def insert_subnetwork(cloud: Cloud, request: Request) -> Response:
    """Make a subnetwork of a network; the operation is done at once."""
    given, parent = request.json(), request.path.removeprefix("/compute/v1/")
    if not _NAME.fullmatch(given.get("name", "")):
        raise invalid(f"Invalid value for field 'resource.name': {given.get('name')!r}")
    if not given.get("network"):
        raise invalid("Required field 'resource.network' not specified")
    try:
        ipaddress.IPv4Network(given.get("ipCidrRange", ""))
    except ValueError:
        raise invalid(f"Invalid value for field 'resource.ipCidrRange': {given.get('ipCidrRange')!r}") from None
    name = f"{parent}/{given['name']}"
    if name in cloud.resources:
        raise Refused("ALREADY_EXISTS", f"The resource '{name}' already exists")
    cloud.resources[name] = {"kind": "compute#subnetwork", "privateIpGoogleAccess": False, **given}
    return answer({"kind": "compute#operation", "status": "DONE", "targetLink": name})


def get_subnetwork(cloud: Cloud, request: Request) -> Response:
    """Return a subnetwork."""
    return answer(cloud.get(request.path.removeprefix("/compute/v1/")))


_SUBNETWORKS = "/compute/v1/projects/{project}/regions/{region}/subnetworks"
ROUTES = [
    Route("POST", _SUBNETWORKS, "compute.subnetworks.insert", insert_subnetwork),
    Route("GET", f"{_SUBNETWORKS}/{{subnetwork}}", "compute.subnetworks.get", get_subnetwork),
]
