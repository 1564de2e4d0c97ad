"""The platform's Terraform is formatted, described, and its page says what it takes and gives."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.render.specs import all_files
from tests.tools import needs

INFRA = Path(__file__).parent.parent / "infra"


def blocks(kind: str) -> dict[str, str]:
    """Each block of this kind in infra/, by name."""
    text = "\n".join(file.read_text() for file in sorted(INFRA.glob("*.tf")))
    return dict(re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', text, re.MULTILINE | re.DOTALL))


def section(title: str) -> set[str]:
    """The names in the first column of a section's table."""
    text = (INFRA / "README.md").read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    return {name for row in re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize(("title", "kind"), [("Inputs", "variable"), ("Outputs", "output")])
def test_the_page_lists_what_the_code_has(title, kind):
    assert section(title) == set(blocks(kind))


@pytest.mark.parametrize("kind", ["variable", "output"])
def test_every_input_and_output_says_what_it_is(kind):
    assert [name for name, body in blocks(kind).items() if "description" not in body] == []


def test_the_page_lists_every_file_that_makes_something():
    made = {file.name for file in INFRA.glob("*.tf") if re.search(r'^resource "', file.read_text(), re.MULTILINE)}
    page = (INFRA / "README.md").read_text()
    assert [name for name in sorted(made) if f"`{name}`" not in page] == []


def test_a_grant_is_one_resource_with_one_literal_role():
    """The only for_each among the grants is the key's, over members: its role is a literal too."""
    text = "\n".join(file.read_text() for file in sorted(INFRA.glob("*.tf")))
    grants = re.findall(r'^resource "(\w+_iam_member)" "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    assert [name for _, name, body in grants if "for_each" in body] == ["agent"]
    for _, name, body in grants:
        assert re.search(
            r'^  role +=\s("roles/[\w.]+"|google_project_iam_custom_role\.\w+\.id)$', body, re.MULTILINE
        ), name


def test_what_holds_data_is_protected_twice():
    text = "\n".join(file.read_text() for file in sorted(INFRA.glob("*.tf")))
    resources = {
        f"{kind}.{name}": body
        for kind, name, body in re.findall(r'^resource "(\w+)" "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    }
    held = {address for address, body in resources.items() if "prevent_destroy = true" in body}
    assert held == {
        "google_artifact_registry_repository.mlspec",
        "google_composer_environment.mlspec",
        "google_kms_crypto_key.mlspec",
        "google_kms_key_ring.mlspec",
        "google_logging_project_bucket_config.mlspec",
        "google_storage_bucket.access_logs",
        "google_storage_bucket.mlspec",
    }
    for address in held - {
        "google_kms_key_ring.mlspec"
    }:  # Google deletes no key ring, and the provider knows no policy for one
        assert "deletion_policy" in resources[address], address


def test_it_is_formatted_as_terraform_formats():
    done = subprocess.run(
        [
            needs("terraform"),
            "fmt",
            "-check",
            "-recursive",
            "-list=true",
            str(INFRA),
        ],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")


# What making a resource of each rendered type asks for, beside the verbs below: names differ from type to type.
PERMISSIONS = {
    "google_bigquery_dataset": "bigquery.datasets", "google_bigquery_table": "bigquery.tables",
    "google_cloud_run_v2_job": "run.jobs",
    "google_logging_metric": "logging.logMetrics", "google_monitoring_alert_policy": "monitoring.alertPolicies",
    "google_monitoring_dashboard": "monitoring.dashboards", "google_pubsub_topic": "pubsub.topics",
    "google_monitoring_notification_channel": "monitoring.notificationChannels",
    "google_pubsub_subscription": "pubsub.subscriptions",
    "google_secret_manager_secret": "secretmanager.secrets", "google_service_account": "iam.serviceAccounts",
    "google_storage_managed_folder": "storage.managedFolders", "google_vertex_ai_endpoint": "aiplatform.endpoints",
}  # fmt: skip
# Objects are written with a role on the bucket of DAGs, what is in Terraform's state alone with none; a grant on the project with a
# condition on which roles it may hand out.
ELSEWHERE = {"google_storage_bucket_object", "terraform_data"}
GRANTED_ON = {
    "google_project_iam_member": "resourcemanager.projects", "google_storage_bucket_iam_member": "storage.buckets",
    "google_cloud_run_v2_job_iam_member": "run.jobs", "google_bigquery_table_iam_member": "bigquery.tables",
    "google_bigquery_dataset_iam_member": "bigquery.datasets",
    "google_pubsub_topic_iam_member": "pubsub.topics", "google_pubsub_subscription_iam_member": "pubsub.subscriptions",
    "google_secret_manager_secret_iam_member": "secretmanager.secrets", "google_service_account_iam_member": "iam.serviceAccounts",
    "google_storage_managed_folder_iam_member": "storage.managedFolders",
}  # fmt: skip


def permissions(role: str) -> set[str]:
    (body,) = re.findall(
        rf'"google_project_iam_custom_role" "{role}" \{{\n.*?permissions = \[(.*?)\]',
        (INFRA / "iam.tf").read_text(),
        re.DOTALL,
    )
    return set(re.findall(r'"([\w.]+)"', body))


def test_cloud_build_may_make_and_grant_exactly_what_forecasts_render(tmp_path):
    text = "\n".join(text for path, text in all_files(tmp_path).items() if path.endswith(".tf"))
    types = set(re.findall(r'^resource "(\w+)"', text, re.MULTILINE))
    made = {kind for kind in types if not kind.endswith("_iam_member")}
    assert made == set(PERMISSIONS) | ELSEWHERE
    assert types - made == set(GRANTED_ON)
    applier, granter = permissions("forecast_applier"), permissions("forecast_granter")
    for kind in PERMISSIONS.values():
        assert {f"{kind}.create", f"{kind}.delete", f"{kind}.get"} <= applier, kind
    for kind in GRANTED_ON.values():
        assert f"{kind}.setIamPolicy" in granter, kind
    granted = set(re.findall(r'^ +role += "(.+)"$', text, re.MULTILINE))
    listed = set(re.findall(r"\"'(roles/[\w.]+)'\"", (INFRA / "iam.tf").read_text()))
    assert listed == {role for role in granted if role.startswith("roles/")}
    assert {role.rsplit("/")[-1] for role in granted if not role.startswith("roles/")} == {"mlspecTableWriter"}
