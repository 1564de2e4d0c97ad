"""Real Terraform on infra/: the platform is made once, with all of it or the least of it, or with what is given from elsewhere."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.gcp import platform_grants
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
        "alert_emails": ["oncall@example.com"], "approve_builds": True,
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
    if name == "everything":
        grants_are_as_stored(cloud)
        small_files_of_forecasts_go_by_themselves(cloud)
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


def grants_are_as_stored(cloud: Cloud) -> None:
    """Tests that make the platform without Terraform grant what it grants: see `tests.gcp.platform_grants`."""
    resources = ((each.type, each.values) for each in cloud.resources())
    found = platform_grants.as_stored(resources, str(LEAST["project_id"]), str(LEAST["region"]))
    if os.environ.get("ACCEPT"):
        platform_grants.STORED.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert found == json.loads(platform_grants.STORED.read_text())


def small_files_of_forecasts_go_by_themselves(cloud: Cloud) -> None:
    """Those that mlspec itself may leave behind: by the end of their names, and after how many days."""
    buckets = [each.values for each in cloud.resources("google_storage_bucket")]
    (state,) = [each for each in buckets if each["name"] == "acme-prod-mlspec-state"]
    conditions = [rule["condition"][0] for rule in state["lifecycle_rule"]]
    aged = {each["matches_suffix"][0]: each for each in conditions if each["age"] and each["matches_suffix"]}
    assert {suffix: each["age"] for suffix, each in aged.items()} == {".alert": 45, ".kept": 7}
    assert all(each["matches_prefix"] == ["forecasts/"] for each in aged.values())


def test_what_is_given_is_not_made(terraform_env: dict[str, str], tmp_path: Path, cloud: Cloud) -> None:
    opened(VARIANTS["given"], terraform_env, tmp_path / "infra").apply().expect(0)
    assert waiting_builds(cloud) == set()
    types = {found.type for found in cloud.resources()}
    assert types.isdisjoint({
        "google_kms_key_ring", "google_kms_crypto_key", "google_compute_network", "google_compute_subnetwork",
        "google_cloudbuildv2_connection", "google_cloudbuildv2_repository", "google_iam_workload_identity_pool",
    })  # fmt: skip


def test_the_loop_runs_by_itself_every_half_hour_unless_the_schedule_is_turned_off(
    terraform_env: dict[str, str], tmp_path: Path, cloud: Cloud
) -> None:
    terraform = opened(LEAST, terraform_env, tmp_path / "infra")
    terraform.apply().expect(0)
    assert [each.values["schedule"] for each in cloud.resources("google_cloud_scheduler_job")] == ["*/30 * * * *"]
    (terraform.folder / "terraform.tfvars.json").write_text(json.dumps({**LEAST, "reconcile_schedule": None}))
    terraform.apply().expect(0)
    assert len(cloud.resources("google_cloud_run_v2_job")) == 1
    assert cloud.resources("google_cloud_scheduler_job") == []


def test_an_edit_by_hand_is_drift_and_the_image_that_a_build_gave_the_loop_is_not(
    terraform_env: dict[str, str], tmp_path: Path, cloud: Cloud
) -> None:
    """Terraform makes the loop's job before there is an image with specs; from then on the image is the builds'."""
    terraform = opened(LEAST, terraform_env, tmp_path / "infra")
    terraform.apply().expect(0)
    assert loop_container(cloud)["image"].startswith("us-docker.pkg.dev/cloudrun/container/job@sha256:")
    edit_loop(cloud, image=IMAGE)
    terraform.plan().expect(0)
    edit_loop(cloud, args=["status"])
    terraform.plan().expect(2)
    terraform.apply().expect(0)
    assert (loop_container(cloud)["image"], loop_container(cloud)["args"][0]) == (IMAGE, "reconcile")


def loop_container(cloud: Cloud) -> dict[str, Any]:
    (container,) = cloud.get("google_cloud_run_v2_job").values["template"][0]["template"][0]["containers"]
    return dict(container)


def edit_loop(cloud: Cloud, **values: object) -> None:
    job = cloud.get("google_cloud_run_v2_job")
    template = copy.deepcopy(job.values["template"])
    template[0]["template"][0]["containers"][0].update(values)
    cloud.edit(job, template=template)


def waiting_builds(cloud: Cloud) -> set[str]:
    """The triggers whose builds wait for a person."""
    triggers = cloud.resources("google_cloudbuild_trigger")
    return {trigger.values["name"] for trigger in triggers if trigger.values["approval_config"][0]["approval_required"]}


PUSH = {
    "repository_id": "123456789", "event_name": "push", "ref": "refs/heads/main", "base_ref": "",
    "sub": "repo:acme@1/forecasts@123456789:environment:forecasts",
}  # fmt: skip
PULL = {**PUSH, "event_name": "pull_request", "ref": "refs/pull/7/merge", "base_ref": "main"}


# What a workflow's token says, and the account that it may act as.
RUNS: tuple[tuple[dict[str, str], list[str]], ...] = (
    (PUSH, ["mlspec-build"]),
    ({**PUSH, "event_name": "workflow_dispatch"}, ["mlspec-build"]),
    (PULL, ["mlspec-plan"]),
    ({**PUSH, "ref": "refs/heads/other"}, []),
    ({**PUSH, "ref": "refs/tags/main"}, []),
    ({**PUSH, "event_name": "schedule"}, []),
    # It runs on the branch, and with a stranger's code if it checks that out.
    ({**PULL, "event_name": "pull_request_target", "ref": "refs/heads/main"}, []),
    ({**PULL, "base_ref": "other"}, []),
    ({**PUSH, "repository_id": "987654321"}, []),
    ({**PULL, "repository_id": "987654321"}, []),
)


def test_a_workflow_acts_as_the_account_of_its_event_and_another_repository_as_none(
    terraform_env: dict[str, str], tmp_path: Path, cloud: Cloud
) -> None:
    opened(VARIANTS["everything"], terraform_env, tmp_path / "infra").apply().expect(0)
    assert waiting_builds(cloud) == {"mlspec-apply"}
    provider = cloud.get("google_iam_workload_identity_pool_provider").values
    members = {
        grant.values["member"].partition("/attribute.")[2]: grant.values["service_account_id"]
        for grant in cloud.resources("google_service_account_iam_member")
        if grant.values["role"] == "roles/iam.workloadIdentityUser"
    }
    assert len(members) == 2
    for claims, accounts in RUNS:
        assert [
            members[name].rpartition("/")[2].partition("@")[0] for name in principals(provider, claims) & set(members)
        ] == accounts


def principals(provider: dict[str, Any], claims: dict[str, str]) -> set[str]:
    """The names, after `attribute.`, under which Google knows the bearer of a token; none if the provider refuses it."""
    import cel

    attributes = {
        key.removeprefix("attribute."): cel.evaluate(expression, {"assertion": claims})
        for key, expression in provider["attribute_mapping"].items()
        if key.startswith("attribute.")
    }
    if not cel.evaluate(provider["attribute_condition"], {"assertion": claims, "attribute": attributes}):
        return set()
    return {f"{name}/{value}" for name, value in attributes.items()}


@pytest.mark.parametrize(("words", "said"), [
    ({"github": {**GITHUB, "branch": "a' || true || '"}}, "github.branch is the name of a branch"),
    ({"project_id": "Acme"}, "project_id has 6 to 30"),
    ({"region": "europe"}, "names one region"),
    ({"reconcile_schedule": "hourly"}, "cron expression"),
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
