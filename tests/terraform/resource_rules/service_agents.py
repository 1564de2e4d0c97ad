"""Service agents, whose type is in google-beta alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.terraform.provider.values import UNKNOWN
from tests.terraform.rules import Facts, Rules

# Where a service agent is not service-NUMBER@gcp-sa-SERVICE
AGENTS = {
    "artifactregistry": "gcp-sa-artifactregistry",
    "cloudfunctions": "gcf-admin-robot",
    "composer": "cloudcomposer-accounts",
    "compute": "compute-system",
    "monitoring": "gcp-sa-monitoring-notification",
    "run": "serverless-robot-prod",
    "servicenetworking": "service-networking",
}


def agent(facts: Facts) -> Any:
    """The email address of a service agent."""
    service, number = facts("service"), facts("number")
    if UNKNOWN in (service, number):
        return UNKNOWN
    name = service.partition(".")[0]
    return f"service-{number}@{AGENTS.get(name, f'gcp-sa-{name}')}.iam.gserviceaccount.com"


SERVICE_AGENTS = {
    "google_project_service_identity": Rules(
        id="projects/{project}/services/{service}",
        force_new=("service",),
        computed={"email": agent, "member": "serviceAccount:{email}"},
        patterns={"service": r"[a-z][a-z0-9.-]*\.googleapis\.com"},
        adopts=True,
        stays=True,
    ),
}


# The package of schemas holds google alone.
BETA_SCHEMA: Mapping[str, Any] = {
    "google_project_service_identity": {
        "attributes": {
            "service": {"type": "string", "required": True},
            "project": {"type": "string", "optional": True, "computed": True},
            "id": {"type": "string", "optional": True, "computed": True},
            "email": {"type": "string", "computed": True},
            "member": {"type": "string", "computed": True},
        },
        "block_types": {
            "timeouts": {
                "nesting_mode": "single",
                "block": {
                    "attributes": {
                        name: {"type": "string", "optional": True} for name in ("create", "read", "update", "delete")
                    },
                    "block_types": {},
                },
            }
        },
    }
}
