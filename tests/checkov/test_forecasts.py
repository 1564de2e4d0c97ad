"""What specs are compiled to passes checkov, and checkov really looks at it: as many pairs as the table says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.checkov.scan import Scan, scan
from tests.render.specs import all_files, write

pytestmark = pytest.mark.xdist_group("checkov-forecasts")  # one scan

GOLDEN = Path(__file__).parent / "forecasts.txt"
VIEWS = ("latest", "as_of", "realised")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    found = all_files(tmp_path_factory.mktemp("specs"))
    return {path: text for path, text in found.items() if path.endswith(".tf")}


@pytest.fixture(scope="module")
def scanned(files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return scan(write(files, tmp_path_factory.mktemp("rendered")))


def test_nothing_fails_and_what_is_skipped_says_why(scanned: Scan) -> None:
    assert [str(finding) for finding in scanned.failed] == []
    assert {(found.check, found.resource) for found in scanned.skipped} == {
        ("CKV2_GCP_33", "google_vertex_ai_endpoint.this"),
        *((check, f"google_bigquery_table.{view}") for check in ("CKV_GCP_80", "CKV_GCP_121") for view in VIEWS),
    }
    reasons = {"CKV2_GCP_33": "splits no traffic", "CKV_GCP_80": "keeps no rows", "CKV_GCP_121": "keeps no rows"}
    assert all(reasons[found.check] in found.reason for found in scanned.skipped)


def test_every_grant_is_judged_by_our_policies(scanned: Scan, files: dict[str, str]) -> None:
    grants = sum(len(re.findall(r'^resource "\w+_iam_member"', text, re.MULTILINE)) for text in files.values())
    for policy in ("CKV2_MLSPEC_16", "CKV2_MLSPEC_17", "CKV2_MLSPEC_18"):
        assert sum(finding.check == policy for finding in scanned.passed) == grants, policy


def test_as_many_checks_looked_at_as_many_resources_as_before(scanned: Scan) -> None:
    """No failures is also what a scanner says that saw nothing. ACCEPT=1 writes the table anew."""
    if os.environ.get("ACCEPT"):
        GOLDEN.write_text(scanned.table())
    assert scanned.table() == GOLDEN.read_text()
