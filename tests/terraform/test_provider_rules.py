"""The stand-in refuses what the source of Google's provider says that the provider refuses, before it plans."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.terraform import provider_rules, references
from tests.terraform.provider.cloud import Cloud
from tests.terraform.provider.values import UNKNOWN
from tests.terraform.resource_rules import RESOURCES

ROOT = Path(__file__).resolve().parents[2]
PSC = [{"enable_private_service_connect": True}]
# What is said of a type, and what the provider says to it.
WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "two that exclude each other": (
        "google_vertex_ai_endpoint",
        {"dedicated_endpoint_enabled": False, "private_service_connect_config": PSC},
        "conflicts with",
    ),
    "a value that is not known yet counts": (
        "google_vertex_ai_endpoint",
        {"network": UNKNOWN, "private_service_connect_config": PSC},
        "conflicts with",
    ),
    "one that needs another": (
        "google_composer_environment",
        {"name": "x", "config": [{"node_count": 2}]},
        "validation.IntAtLeast",
    ),
    "exactly one of some": ("google_storage_bucket_object", {"name": "x", "bucket": "b"}, "one of `content"),
    "one block at most": ("google_vertex_ai_endpoint", {"private_service_connect_config": PSC * 2}, "2 blocks"),
    "a value of a list": ("google_monitoring_alert_policy", {"combiner": "NEITHER"}, "verify.ValidateEnum"),
    "a pattern": (
        "google_cloud_run_v2_job",
        {"template": [{"template": [{"timeout": "10m"}]}]},
        "verify.ValidateRegexp",
    ),
    "a name's length": ("google_service_account", {"account_id": "abc"}, "verify.ValidateRFC1035Name"),
}


@pytest.mark.parametrize(("kind", "values", "words"), WRONG.values(), ids=WRONG)
def test_what_the_source_of_the_provider_refuses_is_refused(kind: str, values: dict[str, Any], words: str) -> None:
    assert [sentence for _, sentence in provider_rules.problems(kind, values) if words in sentence]


def test_what_the_provider_takes_is_taken() -> None:
    endpoint = {"display_name": "x", "location": "europe-west1", "name": "1", "private_service_connect_config": PSC}
    assert list(provider_rules.problems("google_vertex_ai_endpoint", endpoint)) == []


def test_the_rules_of_a_block_hold_where_it_is_there() -> None:
    """A schedule without a target breaks a rule of the whole; a block that nobody wrote breaks none of its own."""
    assert [
        path for path, _ in provider_rules.problems("google_cloud_scheduler_job", {"name": "x"}) if "." in path
    ] == []


def test_each_type_that_is_made_was_read_and_each_of_its_checks_is_known() -> None:
    written = "".join(path.read_text() for path in [*ROOT.glob("infra/*.tf"), *ROOT.glob("templates/terraform/*/*.j2")])
    used = set(re.findall(r'^resource "(google_\w+)"', written, re.MULTILINE))
    rules = provider_rules.provider_rules()
    assert {kind for kind in used if provider_rules.with_rules(kind)} <= rules.keys()
    assert used <= RESOURCES.keys()
    said = [one for kind in used for one in rules.get(kind, {}).values()]
    checks = {one[key][0] for one in said for key in provider_rules.VALUES if key in one}
    assert checks <= provider_rules.CHECKS.keys() | provider_rules.BY_HAND


def policy(metric: str) -> dict[str, Any]:
    """An alert policy on a metric."""
    return {"conditions": [{"condition_threshold": [{"filter": f'metric.type="{metric}" AND resource.type="global"'}]}]}


def test_an_alert_on_a_metric_that_nobody_made_is_refused(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path)

    def said(metric: str) -> str | None:
        return references.refusal("google_monitoring_alert_policy", "create", "", policy(metric), cloud)

    own = "logging.googleapis.com/user/mlspec/demand/failures"
    assert "Cannot find metric" in str(said(own))
    assert "Cannot find metric" in str(said("custom.googleapis.com/mlspec/values"))
    cloud.put("google_logging_metric", "mlspec/demand/failures", name="mlspec/demand/failures")
    for metric in (own, "custom.googleapis.com/mlspec/value", "run.googleapis.com/job/completed_execution_count"):
        assert said(metric) is None


def test_the_id_of_a_deleted_pool_stays_taken(tmp_path: Path) -> None:
    cloud, pool = Cloud(tmp_path), "google_iam_workload_identity_pool"
    assert references.refusal(pool, "create", "a", {}, cloud) is None
    cloud.note("delete", pool, "a")
    assert "Error 409" in str(references.refusal(pool, "create", "a", {}, cloud))
    assert references.refusal(pool, "create", "b", {}, cloud) is None
