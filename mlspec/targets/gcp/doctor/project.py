"""Checks the project itself: billing, the bucket of the platform's Terraform state, and the accounts and roles that act on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mlspec.spec.object_address import bucket_address
from mlspec.state.finding import Finding, PlatformIdentities
from mlspec.targets.gcp.doctor.probe import PLATFORM, PROJECTS, TIMEOUT, GoogleProbe, list_pages, run_check

_BILLING = "https://cloudbilling.googleapis.com/v1"
_IAM = "https://iam.googleapis.com/v1"


def check_billing(probe: GoogleProbe) -> Finding:
    """Return whether an open billing account pays for the project."""
    project = probe.place.project
    mend = f"gcloud billing projects link {project} --billing-account=ACCOUNT"

    def check() -> Finding:
        info: Any = probe.get_json(f"{_BILLING}/projects/{project}/billingInfo")
        if not info.get("billingEnabled"):  # also where the account is closed
            return Finding("Google Cloud", "billing", "missing", "no open billing account pays for the project", mend)
        return Finding("Google Cloud", "billing", "ok", "on")

    return run_check("Google Cloud", "billing", check, mend)


def terraform_bucket(root: Path, project: str) -> str:
    """Return the bucket with the Terraform state of infra/: the one of `terraform init` here, else the one that the docs name."""
    try:
        settings = json.loads((root / "infra" / ".terraform" / "terraform.tfstate").read_text())
        return str(settings["backend"]["config"]["bucket"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"{project}-terraform"


def check_terraform_bucket(probe: GoogleProbe, name: str) -> Finding:
    """Return whether the bucket with the Terraform state of infra/ exists and keeps versions."""
    area, what, address, place = "Terraform", f"bucket {name}", bucket_address(name), probe.place
    make = (
        f"gcloud storage buckets create {address} --project={place.project} --location={place.region}"
        " --uniform-bucket-level-access --public-access-prevention"
    )
    keep_versions = f"gcloud storage buckets update {address} --versioning"

    def check() -> Finding:
        if not probe.clients.storage.get_bucket(name, timeout=TIMEOUT, retry=None).versioning_enabled:
            return Finding(area, what, "missing", "it keeps no earlier versions", keep_versions)
        return Finding(area, what, "ok", "for the state of infra/, with versions")

    return run_check(area, what, check, f"{make} && {keep_versions}")


def check_identities(probe: GoogleProbe, needed: PlatformIdentities) -> Iterator[Finding]:
    """Yield whether the platform's service accounts, custom roles and Google's service agents are there."""
    yield _check_accounts(probe, needed.accounts)
    yield _check_custom_roles(probe, needed.custom_roles)
    yield _check_agents(probe, needed.agent_roles)


def _check_accounts(probe: GoogleProbe, needed: Sequence[str]) -> Finding:
    """One disabled account is named alone: its fix is another than that of accounts that do not exist."""
    project = probe.place.project

    def check() -> Finding:
        pages = list_pages(probe, f"{_IAM}/projects/{project}/serviceAccounts", "accounts", pageSize="100")
        found = {account["email"]: account for account in pages}
        if absent := [email for email in needed if email not in found]:
            return Finding("platform", "accounts", "missing", f"there is no {', '.join(absent)}", PLATFORM)
        if disabled := [email for email in needed if found[email].get("disabled")]:
            mend = " && ".join(f"gcloud iam service-accounts enable {email} --project={project}" for email in disabled)
            return Finding("platform", "accounts", "missing", f"disabled: {', '.join(disabled)}", mend)
        return Finding("platform", "accounts", "ok", f"{len(needed)} of the platform")

    return run_check("platform", "accounts", check, PLATFORM)


def _check_custom_roles(probe: GoogleProbe, needed: Sequence[str]) -> Finding:
    def check() -> Finding:
        url = f"{_IAM}/projects/{probe.place.project}/roles"
        found = {role["name"] for role in list_pages(probe, url, "roles", pageSize="1000")}
        if absent := [name.rpartition("/")[2] for name in needed if name not in found]:
            return Finding("platform", "custom roles", "missing", f"there is no {', '.join(absent)}", PLATFORM)
        return Finding("platform", "custom roles", "ok", f"{len(needed)} of the platform")

    return run_check("platform", "custom roles", check, PLATFORM)


def _check_agents(probe: GoogleProbe, needed_roles: Sequence[str]) -> Finding:
    """An agent's address has the project's number. Each agent has a role of its own, so the role says whose it is."""

    def check() -> Finding:
        project: Any = probe.get_json(f"{PROJECTS}/{probe.place.project}")
        agent = f"serviceAccount:service-{project['name'].rpartition('/')[2]}@"
        question = {"options": {"requestedPolicyVersion": 3}}
        policy: Any = probe.post_json(f"{PROJECTS}/{probe.place.project}:getIamPolicy", question)
        held = {
            binding["role"]
            for binding in policy.get("bindings", ())
            if any(member.startswith(agent) for member in binding["members"])
        }
        if lacking := [role for role in needed_roles if role not in held]:
            return Finding("platform", "service agents", "missing", f"no agent has {', '.join(lacking)}", PLATFORM)
        return Finding("platform", "service agents", "ok", f"{len(needed_roles)} of Google's, each with its role")

    return run_check("platform", "service agents", check, PLATFORM)
