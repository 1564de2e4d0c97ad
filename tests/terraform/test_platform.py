"""Real Terraform on infra/: the platform is made once, with all of it or the least of it, or with what is given from elsewhere."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.terraform.harness import Terraform
from tests.terraform.provider.cloud import Cloud
from tests.tools import needs

INFRA = Path(__file__).parents[2] / "infra"
LEAST = {"project_id": "acme-prod", "region": "southamerica-east1", "function_archive": "redeploy.zip"}
IMAGE = f"southamerica-east1-docker.pkg.dev/acme-prod/mlspec/step@sha256:{'0' * 64}"
GITHUB = {
    "owner": "acme", "repository": "forecasts", "repository_id": "123456789", "branch": "main",
    "app_installation_id": 1234, "token_secret_version": "projects/acme-prod/secrets/github/versions/1",
}  # fmt: skip
VARIANTS = {
    "the least": LEAST,
    "everything": {
        **LEAST, "step_image": IMAGE, "reconcile_schedule": "*/30 * * * *", "github": GITHUB,
        "alert_emails": ["oncall@example.com"],
    },
    "given": {
        **LEAST, "step_image": IMAGE, "github": GITHUB,
        "kms_key": "projects/keys/locations/southamerica-east1/keyRings/r/cryptoKeys/k",
        "network": "projects/net/global/networks/shared",
        "subnetwork": "projects/net/regions/southamerica-east1/subnetworks/shared",
        "build_repository": "projects/acme-prod/locations/southamerica-east1/connections/c/repositories/r",
        "workload_identity_pool": "projects/1/locations/global/workloadIdentityPools/p",
    },
}  # fmt: skip


def opened(values: dict[str, object], environment: dict[str, str], folder: Path) -> Terraform:
    shutil.copytree(INFRA, folder, ignore=shutil.ignore_patterns("functions"))
    (folder / "redeploy.zip").write_bytes(b"PK\x05\x06" + b"\0" * 18)
    (folder / "terraform.tfvars.json").write_text(json.dumps(values))
    found = Terraform(folder, environment, needs("terraform"))
    found.init().expect(0)
    found.validate().expect(0)
    return found


def unprotect(folder: Path) -> None:
    """What the page says under "Take it down"."""
    for file in folder.glob("*.tf"):
        text = re.sub(r"prevent_destroy += true", "prevent_destroy = false", file.read_text())
        text = re.sub(r'(deletion_policy +)= "PREVENT"', r'\1= "DELETE"', text)
        text = re.sub(r"(deletion_protection +)= true", r"\1= false", text)
        file.write_text(re.sub(r"(force_destroy +)= false", r"\1= true", text))


@pytest.mark.parametrize("name", VARIANTS)
def test_it_is_made_once_and_can_be_taken_down(
    terraform_env: dict[str, str], tmp_path: Path, cloud: Cloud, name: str
) -> None:
    terraform = opened(VARIANTS[name], terraform_env, tmp_path / "infra")
    terraform.apply().expect(0)
    terraform.plan().expect(0)
    assert terraform.destroy().returncode == 1
    unprotect(terraform.folder)
    terraform.apply().expect(0)
    terraform.destroy().expect(0)
    assert {found.type for found in cloud.resources()} <= {
        "google_kms_key_ring",
        "google_kms_crypto_key",
        "google_project_service",
        "google_project_service_identity",
    }


def test_what_is_given_is_not_made(terraform_env: dict[str, str], tmp_path: Path, cloud: Cloud) -> None:
    opened(VARIANTS["given"], terraform_env, tmp_path / "infra").apply().expect(0)
    types = {found.type for found in cloud.resources()}
    assert types.isdisjoint({
        "google_kms_key_ring", "google_kms_crypto_key", "google_compute_network", "google_compute_subnetwork",
        "google_cloudbuildv2_connection", "google_cloudbuildv2_repository", "google_iam_workload_identity_pool",
    })  # fmt: skip


def test_the_loop_runs_by_itself_only_where_a_schedule_says_so(
    terraform_env: dict[str, str], tmp_path: Path, cloud: Cloud
) -> None:
    opened(VARIANTS["given"], terraform_env, tmp_path / "infra").apply().expect(0)
    assert len(cloud.resources("google_cloud_run_v2_job")) == 1
    assert cloud.resources("google_cloud_scheduler_job") == []


def test_an_edit_by_hand_is_drift(terraform_env: dict[str, str], tmp_path: Path, cloud: Cloud) -> None:
    terraform = opened(LEAST, terraform_env, tmp_path / "infra")
    terraform.apply().expect(0)
    cloud.edit(cloud.get("google_cloudfunctions2_function"), description="mine")
    terraform.plan().expect(2)


@pytest.mark.parametrize(("words", "said"), [
    ({"project_id": "Acme"}, "project_id has 6 to 30"),
    ({"region": "europe"}, "names one region"),
    ({"reconcile_schedule": "hourly"}, "cron expression"),
    ({"reconcile_schedule": "0 * * * *"}, "needs step_image"),
    ({"network": "projects/net/global/networks/shared"}, "subnetwork"),
])  # fmt: skip
def test_a_wrong_input_is_refused_before_anything_is_made(
    terraform_env: dict[str, str], tmp_path: Path, cloud: Cloud, words: dict[str, object], said: str
) -> None:
    terraform = opened({**LEAST, **words}, terraform_env, tmp_path / "infra")
    refused = terraform.apply()
    assert refused.returncode == 1
    assert said in refused.text
    assert cloud.resources() == []
