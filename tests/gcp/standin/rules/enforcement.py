"""What both doors ask before a call is carried out: is the method known, and does its request keep the rules?"""

from __future__ import annotations

from typing import Any

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid, service_disabled
from tests.gcp.standin.rest import Request
from tests.gcp.standin.rpcs import Rpc
from tests.gcp.standin.rules import fields, json_limits, limits
from tests.gcp.standin.rules.methods import METHODS

# The API of a gRPC service by the beginning of its name; over REST the host is the API.
_APIS = {
    "google.cloud.aiplatform.": "aiplatform", "google.cloud.run.": "run", "google.cloud.secretmanager.": "secretmanager",
    "google.cloud.kms.": "cloudkms", "google.monitoring.": "monitoring", "google.logging.": "logging",
    "google.cloud.orchestration.": "composer", "google.cloud.functions.": "cloudfunctions",
}  # fmt: skip


def check_enabled(cloud: Cloud, service: str) -> None:
    """Raise Refused where the API of a gRPC service, or of a host, is off. An operation is asked for at the API that began it."""
    name = next((api for start, api in _APIS.items() if service.startswith(start)), service.partition(".")[0])
    if f"{name}.googleapis.com" in cloud.settings.disabled_services:
        raise service_disabled(f"{name}.googleapis.com", cloud.environment["GOOGLE_CLOUD_PROJECT"])


def check_known(method: str) -> None:
    """Raise Refused where nobody has read the method's reference yet."""
    if method not in METHODS:
        raise Refused(
            "UNIMPLEMENTED", f"{method} has no row in tests/gcp/standin/rules/methods.py: read its reference first"
        )


def check_call(rpc: Rpc, request: Any) -> list[str]:
    """Raise Refused where a gRPC request breaks a rule; return what the caller set in vain, each with the method."""
    check_known(rpc.audited)
    ignored = fields.check_request(rpc, request)
    if wrong := list(limits.problems(rpc.audited, request)):
        raise invalid("; ".join(wrong))
    return [f"{rpc.audited}: {each}" for each in ignored]


def check_json(method: str, request: Request) -> None:
    """Raise Refused where a REST request breaks a rule."""
    check_known(method)
    json_limits.check_body(method, request)
