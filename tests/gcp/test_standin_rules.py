"""The stand-in refuses what Google's API definitions say that Google refuses: each method is known, each field is what it is."""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gcp.standin.refused import Refused
from tests.gcp.standin.rest import Request
from tests.gcp.standin.rpcs import Rpc, snake
from tests.gcp.standin.rules import enforcement, fields, json_limits, kept, limits
from tests.gcp.standin.rules.json_limits import check_object_name
from tests.gcp.standin.rules.methods import METHODS

ROOT = Path(__file__).resolve().parents[2]
HOME = "projects/acme/locations/europe-west1"
ENDPOINT, MODEL = f"{HOME}/endpoints/1", f"{HOME}/models/m@1"
MACHINE = {"machine_spec": {"machine_type": "n2-standard-2"}, "min_replica_count": 1}
TASK = {"type": "generic_task"}


def rpc_and_request(method: str, **said: Any) -> tuple[Rpc, Any]:
    """A gRPC method, and a request to it."""
    from google.cloud import aiplatform_v1, monitoring_v3, run_v2

    service, name = method.rsplit(".", 1)
    modules = {
        "google.cloud.aiplatform.v1": aiplatform_v1, "google.monitoring.v3": monitoring_v3, "google.cloud.run.v2": run_v2,
    }  # fmt: skip
    module = modules[service.rpartition(".")[0]]
    kind = getattr(module, f"{name}Request")
    return Rpc(f"/{service}/{name}", kind.pb(), None), kind.pb(kind(**said))


def check(method: str, **said: Any) -> tuple[list[str], Any]:
    rpc, request = rpc_and_request(method, **said)
    return enforcement.check_call(rpc, request), request


ENDPOINTS, JOBS = "google.cloud.aiplatform.v1.EndpointService", "google.cloud.aiplatform.v1.JobService"
WRONG = {
    "a parent is required": (f"{ENDPOINTS}.CreateEndpoint", {"endpoint": {"display_name": "x"}}, "parent is required"),
    "inside too": (f"{ENDPOINTS}.CreateEndpoint", {"parent": HOME, "endpoint": {"labels": {"a": "b"}}}, "endpoint.display_name"),
    "in a list": (
        f"{JOBS}.CreateCustomJob",
        {"parent": HOME, "custom_job": {"display_name": "x", "job_spec": {"worker_pool_specs": [{"container_spec": {}}]}}},
        r"worker_pool_specs\[0\].container_spec.image_uri is required",
    ),
    "a name has its pattern": (f"{ENDPOINTS}.GetEndpoint", {"name": "endpoints/1"}, "Invalid resource name 'endpoints/1'"),
    "so has what is named": (
        f"{ENDPOINTS}.DeployModel",
        {"endpoint": ENDPOINT, "deployed_model": {"model": "demand", "dedicated_resources": MACHINE}},
        "deployed_model.model: it must match",
    ),
    "an enum has its values": (
        "google.monitoring.v3.MetricService.CreateTimeSeries",
        {"name": "projects/acme", "time_series": [{"metric_kind": 99}]},
        "99 is no MetricKind",
    ),
    "what a mask names is looked at": (
        f"{ENDPOINTS}.UpdateEndpoint",
        {"endpoint": {"name": ENDPOINT}, "update_mask": {"paths": ["display_name"]}},
        "endpoint.display_name is required",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "said", "words"), WRONG.values(), ids=WRONG)
def test_a_request_that_breaks_what_its_fields_are_is_refused(method: str, said: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        check(method, **said)


RUN = "google.cloud.run.v2.Jobs"
TWICE = {"template": {"template": {"containers": [{"image": "x", "env": [{"name": "A", "value": "1"}] * 2}]}}}
# A method, a request that its definition allows, and what Google says to it all the same.
TOO_MUCH = {
    "a title's length": (f"{ENDPOINTS}.CreateEndpoint", {"parent": HOME, "endpoint": {"display_name": "x" * 129}}, "at most 128"),
    "an id's pattern": (
        f"{ENDPOINTS}.CreateEndpoint",
        {"parent": HOME, "endpoint": {"display_name": "x"}, "endpoint_id": "0123"},
        "without a leading zero",
    ),
    "two ways in": (
        f"{ENDPOINTS}.CreateEndpoint",
        {
            "parent": HOME,
            "endpoint": {
                "display_name": "x", "dedicated_endpoint_enabled": True,
                "private_service_connect_config": {"enable_private_service_connect": True},
            },
        },
        "reached in one way",
    ),
    "a deployed model's id": (
        f"{ENDPOINTS}.DeployModel",
        {"endpoint": ENDPOINT, "deployed_model": {"id": "12345678901", "model": MODEL, "dedicated_resources": MACHINE}},
        "1 to 10 digits",
    ),
    "a variable twice": (f"{RUN}.CreateJob", {"parent": HOME, "job_id": "j", "job": TWICE}, "stands once, got 'A'"),
    "a label's length": (
        "google.monitoring.v3.MetricService.CreateTimeSeries",
        {"name": "projects/acme", "time_series": [{"metric": {"labels": {"segment": "x" * 1025}}}]},
        "at most 1024",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "said", "words"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_request_that_says_too_much_is_refused(method: str, said: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        check(method, **said)


TABLE = {"tableReference": {"tableId": "demand"}}
JSON = {
    "a bucket's name": ("storage.buckets.create", {"name": "my-google-bucket"}, "Invalid bucket name"),
    "a label": ("storage.buckets.create", {"name": "mine", "labels": {"Team": "x"}}, "a label's key"),
    "a dataset's name": ("bigquery.datasets.insert", {"datasetReference": {"datasetId": "my-data"}}, "Invalid dataset ID"),
    "a column's name": (
        "bigquery.tables.insert", {**TABLE, "schema": {"fields": [{"name": "_PARTITIONDATE", "type": "DATE"}]}}, "field name",
    ),
    "a column's mode": (
        "bigquery.tables.insert",
        {**TABLE, "schema": {"fields": [{"name": "a", "type": "DATE", "mode": "OPTIONAL"}]}},
        "mode of a field",
    ),
    "a partition": (
        "bigquery.tables.insert",
        {**TABLE, "schema": {"fields": [{"name": "a", "type": "STRING"}]}, "timePartitioning": {"type": "DAY", "field": "a"}},
        "partitioned by a DATE",
    ),
    "a disposition": ("bigquery.jobs.insert", {"configuration": {"load": {"writeDisposition": "REPLACE"}}}, "Invalid disposition"),
    "a schema update option": (
        "bigquery.jobs.insert", {"configuration": {"load": {"schemaUpdateOptions": ["ALLOW_ALL"]}}}, "schema update option",
    ),
    "a query's length": ("bigquery.jobs.query", {"query": "x" * 1_048_577}, "too large"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "body", "words"), JSON.values(), ids=JSON)
def test_json_that_breaks_a_limit_is_refused(method: str, body: dict[str, Any], words: str) -> None:
    request = Request("POST", "", "", {}, {}, json.dumps(body).encode())
    with pytest.raises(Refused, match=words):
        enforcement.check_json(method, request)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 1025, "..", ".well-known/acme-challenge/x"])
def test_an_object_cannot_be_called_anything(name: str) -> None:
    with pytest.raises(Refused, match="bject name"):
        check_object_name(name)


def test_what_a_service_keeps_itself_is_kept_by_a_function_that_is_there() -> None:
    for row in kept.KEPT:
        module, name = row.by.split(":")
        found: Any = importlib.import_module(f"tests.gcp.standin.services.{module}")
        for part in name.split("."):
            found = getattr(found, part)
        assert callable(found)


def test_each_limit_is_of_a_method_that_is_called_and_has_a_source() -> None:
    rows = [*limits.LIMITS, *json_limits.LIMITS, *kept.KEPT]
    assert {method for row in rows for method in row.methods} <= METHODS.keys()
    assert all("." in row.source and row.says for row in rows)


def test_what_a_mask_leaves_out_may_be_missing() -> None:
    shares = {"name": ENDPOINT, "traffic_split": {"1": 100}}
    ignored, request = check(f"{ENDPOINTS}.UpdateEndpoint", endpoint=shares, update_mask={"paths": ["traffic_split"]})
    assert not ignored
    assert request.endpoint.name == ENDPOINT


def test_what_only_the_service_sets_is_dropped_and_told() -> None:
    deployed = [{"model": MODEL, "dedicated_resources": MACHINE}]
    ignored, request = check(
        f"{ENDPOINTS}.CreateEndpoint", parent=HOME, endpoint={"display_name": "x", "deployed_models": deployed}
    )
    assert ignored == [f"{ENDPOINTS}.CreateEndpoint: endpoint.deployed_models"]
    assert not request.endpoint.deployed_models


def test_what_is_fixed_is_not_changed_but_where_a_method_may() -> None:
    from google.cloud.aiplatform_v1.types import DeployedModel

    before = DeployedModel.pb(DeployedModel(dedicated_resources=MACHINE))
    after = DeployedModel.pb(DeployedModel(dedicated_resources={**MACHINE, "min_replica_count": 2}))
    with pytest.raises(Refused, match=r"dedicated_resources\.min_replica_count is immutable"):
        fields.check_unchanged(before, after)
    fields.check_unchanged(before, after, ["dedicated_resources.min_replica_count"])


def test_a_method_that_nobody_looked_up_is_refused() -> None:
    with pytest.raises(Refused, match="has no row"):
        enforcement.check_known("google.cloud.run.v2.Jobs.SetIamPolicy")


def test_each_method_of_grpc_has_its_fields_written_down() -> None:
    assert {each for each in METHODS if each.startswith("google.")} == set(fields.facts().requests)


def _called() -> Iterator[str]:
    """Every name that mlspec calls on something where it talks to Google Cloud."""
    for path in (ROOT / "mlspec" / "targets" / "gcp").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield node.func.attr


def test_each_method_that_mlspec_calls_has_a_row() -> None:
    """Of a client's methods; what is called by a name that is put together, the door refuses in the test that calls it."""
    from google.cloud import aiplatform_v1, kms_v1, monitoring_v3, run_v2, secretmanager_v1
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
    from google.cloud.orchestration.airflow import service_v1

    clients = [
        aiplatform_v1.ModelServiceClient, aiplatform_v1.EndpointServiceClient, aiplatform_v1.JobServiceClient, run_v2.JobsClient,
        run_v2.ExecutionsClient, secretmanager_v1.SecretManagerServiceClient, kms_v1.KeyManagementServiceClient,
        monitoring_v3.MetricServiceClient, LoggingServiceV2Client, service_v1.EnvironmentsClient,
    ]  # fmt: skip
    known = {snake(each.rsplit(".", 1)[1]) for each in METHODS}
    theirs = {name for client in clients for name in vars(client) if not name.startswith("_") and "_" in name}
    helpers = {name for name in theirs if name.endswith(("_path", "_client"))} | {"from_service_account_file"}
    called = set(_called()) & theirs - helpers
    assert "deploy_model" in called
    assert called <= known
