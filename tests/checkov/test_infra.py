"""The platform's own Terraform passes checkov, and checkov really looks at it."""

import os
import re
from pathlib import Path

import pytest

from tests.checkov.scan import Scan, scan

pytestmark = pytest.mark.xdist_group("checkov-infra")  # one scan

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "infra.txt"

# What is skipped, and nothing else may be: (check, resource) and a word of the reason that stands beside the code.
SKIPPED = {
    ("CKV2_MLSPEC_11", "google_cloudbuild_trigger.plan"): "can only read",
    ("CKV2_MLSPEC_11", "google_cloudbuild_trigger.apply"): "approve_builds asks a person as well",
    ("CKV_GCP_49", "google_project_iam_member.dag_composer_worker"): "Composer refuses",
    **{
        ("CKV_GCP_49", f"google_project_iam_member.{service}_acts"): "Google's own agent"
        for service in ("aiplatform", "cloudfunctions", "cloudscheduler", "composer", "run")
    },
    ("CKV_GCP_62", "google_storage_bucket.access_logs"): "receives the access logs",
    (
        "CKV_GCP_125",
        "google_iam_workload_identity_pool_provider.github",
    ): "the repository's number, the event and the branch",
}


@pytest.fixture(scope="module")
def infra(tmp_path_factory) -> Scan:
    """checkov takes a comparison with null for false, and so for count = 0: it is shown every resource as made."""
    folder = tmp_path_factory.mktemp("infra")
    for file in (ROOT / "infra").glob("*.tf"):
        (folder / file.name).write_text(re.sub(r"^  count +=.*\n", "", file.read_text(), flags=re.MULTILINE))
    return scan(folder, variables=Path(__file__).parent / "infra.tfvars")


def test_nothing_fails(infra):
    assert [str(finding) for finding in infra.failed] == []


def test_each_skip_is_known_and_says_why(infra):
    assert {(finding.check, finding.resource) for finding in infra.skipped} == set(SKIPPED)
    for finding in infra.skipped:
        assert SKIPPED[finding.check, finding.resource] in finding.reason


def test_every_resource_with_a_grant_is_looked_at_by_our_policies(infra):
    """A resource that checkov cannot expand is silently not judged: count by name what stands in the text."""
    text = "\n".join(file.read_text() for file in sorted((ROOT / "infra").glob("*.tf")))
    grants = {
        f"{kind}.{name}" for kind, name in re.findall(r'^resource "(\w+_iam_member)" "(\w+)"', text, re.MULTILINE)
    }
    for policy in ("CKV2_MLSPEC_16", "CKV2_MLSPEC_17", "CKV2_MLSPEC_18"):
        looked_at = {re.sub(r"\[.*\]$", "", finding.resource) for finding in infra.passed if finding.check == policy}
        assert looked_at == grants, policy


def test_as_many_checks_looked_at_as_many_resources_as_before(infra):
    """No failures is also what a scanner says that saw nothing. ACCEPT=1 writes the table anew."""
    if os.environ.get("ACCEPT"):
        GOLDEN.write_text(infra.table())
    assert infra.table() == GOLDEN.read_text()
