"""A project, its services, roles, accounts and identity pools."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.rules import Rules

PROJECT = {
    "google_project_service": Rules(
        id="{project}/{service}",
        force_new=("service",),
        defaults={"disable_on_destroy": False},
        patterns={"service": r"[a-z][a-z0-9.-]*\.googleapis\.com"},
        adopts=True,
    ),
    "google_project_iam_custom_role": Rules(
        id="projects/{project}/roles/{role_id}",
        force_new=("role_id",),
        defaults={"stage": "GA"},
        computed={"name": "{id}", "deleted": False},
        patterns={"role_id": r"[a-zA-Z0-9_.]{3,64}"},
        enums={"stage": ("ALPHA", "BETA", "GA", "DEPRECATED", "DISABLED", "EAP")},
        api_checks=(
            lambda values: [
                f"Permission {name} is not valid"
                for name in values["permissions"]
                if name.count(".") != 2 or "*" in name or not name.replace(".", "").isalnum()
            ],
        ),
    ),
    "google_project_iam_audit_config": Rules(
        id="{project}/audit_config/{service}",
        force_new=("service",),
        enums={"audit_log_config.log_type": ("ADMIN_READ", "DATA_READ", "DATA_WRITE")},
        computed={"etag": "BwY{hash}="},
        adopts=True,
    ),
    "google_service_account": Rules(
        id="{name}",
        force_new=("account_id",),
        defaults={"disabled": False, "create_ignore_already_exists": False},
        planned={
            "email": "{account_id}@{project}.iam.gserviceaccount.com",
            "member": "serviceAccount:{account_id}@{project}.iam.gserviceaccount.com",
        },
        computed={"name": "projects/{project}/serviceAccounts/{email}", "unique_id": "{serial}"},
        patterns={"account_id": r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])"},
    ),
    "google_iam_workload_identity_pool": Rules(
        id="projects/{project}/locations/global/workloadIdentityPools/{workload_identity_pool_id}",
        force_new=("workload_identity_pool_id", "mode"),
        computed={
            "name": "projects/{number}/locations/global/workloadIdentityPools/{workload_identity_pool_id}",
            "state": "ACTIVE",
        },
        patterns={"workload_identity_pool_id": r"(?!gcp-)[0-9a-z-]{4,32}"},
    ),
    "google_iam_workload_identity_pool_provider": Rules(
        id="projects/{project}/locations/global/workloadIdentityPools/{workload_identity_pool_id}"
        "/providers/{workload_identity_pool_provider_id}",
        force_new=("workload_identity_pool_id", "workload_identity_pool_provider_id"),
        computed={
            "name": "projects/{number}/locations/global/workloadIdentityPools/{workload_identity_pool_id}"
            "/providers/{workload_identity_pool_provider_id}",
            "state": "ACTIVE",
        },
        patterns={"workload_identity_pool_provider_id": r"(?!gcp-)[0-9a-z-]{4,32}"},
        exactly_one=(("aws", "oidc", "saml", "x509"),),
        api_checks=(checks.identity_provider,),
    ),
}
