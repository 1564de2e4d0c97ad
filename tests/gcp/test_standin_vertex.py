"""Vertex AI's own clients, unchanged: versions, aliases, traffic, predictions, jobs."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from typing import Any

import pytest
from google.api_core.exceptions import Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from google.cloud import aiplatform_v1 as vertex
from google.cloud import storage
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value

from tests.gcp.standin.harness import Running
from tests.notify.receiver import receiving

PARENT = "projects/acme-test/locations/southamerica-east1"
OPTIONS = {"api_endpoint": "southamerica-east1-aiplatform.googleapis.com"}
SMALL = {"automatic_resources": {"min_replica_count": 1, "max_replica_count": 1}}


@pytest.fixture
def models(standin: Running) -> vertex.ModelServiceClient:
    return vertex.ModelServiceClient(client_options=OPTIONS)


@pytest.fixture
def endpoints(standin: Running) -> vertex.EndpointServiceClient:
    return vertex.EndpointServiceClient(client_options=OPTIONS)


@pytest.fixture
def jobs(standin: Running) -> vertex.JobServiceClient:
    return vertex.JobServiceClient(client_options=OPTIONS)


def upload(models: vertex.ModelServiceClient, *aliases: str, parent: str = "", **fields: Any) -> Any:
    model = {"display_name": "demand", "version_aliases": aliases, **fields}
    request = {"parent": PARENT, "parent_model": parent, "model_id": "" if parent else "demand", "model": model}
    return models.upload_model(request=request).result()


def test_an_upload_under_a_name_is_its_next_version(models: vertex.ModelServiceClient) -> None:
    first = upload(models)
    second = upload(models, "candidate", parent=first.model)
    assert first.model == f"{PARENT}/models/demand"
    assert (first.model_version_id, second.model_version_id) == ("1", "2")
    assert models.get_model(name=first.model).version_id == "1"
    assert models.get_model(name=f"{first.model}@2").version_aliases == ["candidate"]
    assert models.get_model(name=f"{first.model}@candidate").version_id == "2"
    with pytest.raises(NotFound):
        models.get_model(name=f"{first.model}@3")
    with pytest.raises(AlreadyExists):
        upload(models)
    with pytest.raises(NotFound):
        upload(models, parent=f"{PARENT}/models/nobody")


def test_an_alias_is_on_one_version_and_is_taken_off_by_a_minus(models: vertex.ModelServiceClient) -> None:
    name = upload(models, "live").model
    upload(models, parent=name)
    models.merge_version_aliases(name=f"{name}@2", version_aliases=["live", "default"])
    found = {each.version_id: list(each.version_aliases) for each in models.list_model_versions(name=name)}
    assert found == {"1": [], "2": ["live", "default"]}
    assert models.get_model(name=name).version_id == "2"
    models.merge_version_aliases(name=f"{name}@2", version_aliases=["-live"])
    with pytest.raises(NotFound):
        models.get_model(name=f"{name}@live")
    with pytest.raises(InvalidArgument):
        models.merge_version_aliases(name=f"{name}@2", version_aliases=["-default"])
    with pytest.raises(InvalidArgument):
        models.merge_version_aliases(name=f"{name}@2", version_aliases=["2"])


def test_models_are_found_by_label_and_display_name(models: vertex.ModelServiceClient) -> None:
    upload(models, labels={"forecast": "demand", "managed-by": "mlspec"})
    other = {"display_name": "other model", "labels": {"forecast": "other"}}
    models.upload_model(parent=PARENT, model=other).result()

    def named(text: str) -> list[str]:
        found = models.list_models(request={"parent": PARENT, "filter": text, "page_size": 1})
        return sorted(each.display_name for each in found)

    assert named("") == ["demand", "other model"]
    assert named("labels.forecast=demand") == ["demand"]
    assert named('labels.managed-by="mlspec" AND display_name="demand"') == ["demand"]
    assert named('display_name="other model" OR labels.forecast:*') == ["demand", "other model"]
    assert named("NOT labels.managed-by:*") == ["other model"]
    with pytest.raises(InvalidArgument, match="no_such_field"):
        named("no_such_field=1")
    with pytest.raises(InvalidArgument, match="labels"):
        upload(models, parent=f"{PARENT}/models/demand", labels={"Forecast": "x"})


def test_a_models_labels_and_a_versions_are_changed_apart(models: vertex.ModelServiceClient) -> None:
    name = upload(models).model
    models.update_model(model={"name": name, "labels": {"team": "ops"}}, update_mask={"paths": ["labels"]})
    versioned = {"name": f"{name}@1", "labels": {"run": "r1"}, "version_description": "first"}
    models.update_model(model=versioned, update_mask={"paths": ["labels", "version_description"]})
    found = models.get_model(name=name)
    assert (dict(found.labels), found.version_description) == ({"team": "ops", "run": "r1"}, "first")
    with pytest.raises(InvalidArgument):
        models.update_model(model=versioned, update_mask={"paths": ["display_name"]})


def test_a_version_is_deleted_unless_it_serves_or_stands_for_the_model(
    models: vertex.ModelServiceClient, endpoints: vertex.EndpointServiceClient
) -> None:
    name = upload(models).model
    with pytest.raises(FailedPrecondition, match="only version"):
        models.delete_model_version(name=f"{name}@1")
    upload(models, parent=name)
    upload(models, parent=name)
    endpoint = made(endpoints)
    deploy(endpoints, endpoint, f"{name}@2", {"0": 100})
    with pytest.raises(FailedPrecondition, match="default"):
        models.delete_model_version(name=f"{name}@1")
    with pytest.raises(FailedPrecondition, match="deployed"):
        models.delete_model_version(name=f"{name}@2")
    with pytest.raises(FailedPrecondition, match="deployed"):
        models.delete_model(name=name)
    models.delete_model_version(name=f"{name}@3").result()
    assert [each.version_id for each in models.list_model_versions(name=name)] == ["1", "2"]
    assert models.get_model(name=f"{name}@2").deployed_models[0].endpoint == endpoint
    assert upload(models, parent=name).model_version_id == "4"


def made(endpoints: vertex.EndpointServiceClient, id_: str = "demand") -> str:
    request = {"parent": PARENT, "endpoint": {"display_name": "demand"}, "endpoint_id": id_}
    return str(endpoints.create_endpoint(request=request).result().name)


def deploy(endpoints: vertex.EndpointServiceClient, endpoint: str, model: str, split: dict[str, int]) -> str:
    deployed = {"model": model, **SMALL}
    answer = endpoints.deploy_model(endpoint=endpoint, deployed_model=deployed, traffic_split=split).result()
    return str(answer.deployed_model.id)


def test_the_name_of_a_deleted_endpoint_is_reserved_for_a_week(
    standin: Running, endpoints: vertex.EndpointServiceClient
) -> None:
    standin.set(clock="2024-03-05T06:00:00+00:00")
    endpoints.delete_endpoint(name=made(endpoints, "77")).result()
    with pytest.raises(AlreadyExists, match="cannot be used again yet"):
        made(endpoints, "77")
    assert made(endpoints, "78")
    standin.set(clock="2024-03-12T06:00:01+00:00")
    assert made(endpoints, "77")


def test_who_may_reach_a_private_endpoint_cannot_change_and_no_api_asks_it(
    endpoints: vertex.EndpointServiceClient,
) -> None:
    private = {"enable_private_service_connect": True, "project_allowlist": ["acme-test"]}
    endpoint = {"display_name": "demand", "private_service_connect_config": private}
    found = endpoints.create_endpoint(parent=PARENT, endpoint=endpoint).result()
    found.private_service_connect_config.project_allowlist.append("acme-web")
    with pytest.raises(InvalidArgument, match="cannot be changed"):
        endpoints.update_endpoint(endpoint=found, update_mask={"paths": ["private_service_connect_config"]})
    client = vertex.PredictionServiceClient(client_options=OPTIONS)
    with pytest.raises(FailedPrecondition, match="service attachment alone"):
        client.predict(endpoint=found.name, instances=["north"])


def test_traffic_is_split_in_whole_percents_that_sum_to_100(
    models: vertex.ModelServiceClient, endpoints: vertex.EndpointServiceClient
) -> None:
    name = upload(models).model
    upload(models, "candidate", parent=name)
    endpoint = made(endpoints)
    old = deploy(endpoints, endpoint, name, {"0": 100})
    with pytest.raises(InvalidArgument, match="sum to 100"):
        deploy(endpoints, endpoint, f"{name}@candidate", {"0": 10, old: 80})
    with pytest.raises(InvalidArgument, match="not there"):
        deploy(endpoints, endpoint, f"{name}@candidate", {"0": 10, "nobody": 90})
    new = deploy(endpoints, endpoint, f"{name}@candidate", {"0": 10, old: 90})
    found = endpoints.get_endpoint(name=endpoint)
    assert dict(found.traffic_split) == {old: 90, new: 10}
    assert {each.id: each.model_version_id for each in found.deployed_models} == {old: "1", new: "2"}
    split = {"name": endpoint, "traffic_split": {new: 100}}
    changed = endpoints.update_endpoint(endpoint=split, update_mask={"paths": ["traffic_split"]})
    assert dict(changed.traffic_split) == {new: 100}
    wrong = {"name": endpoint, "traffic_split": {new: 99}}
    with pytest.raises(InvalidArgument, match="sum to 100"):
        endpoints.update_endpoint(endpoint=wrong, update_mask={"paths": ["traffic_split"]})


def test_what_has_traffic_is_not_undeployed_and_an_endpoint_with_models_not_deleted(
    models: vertex.ModelServiceClient, endpoints: vertex.EndpointServiceClient
) -> None:
    name = upload(models).model
    endpoint = made(endpoints)
    old = deploy(endpoints, endpoint, name, {"0": 100})
    new = deploy(endpoints, endpoint, name, {})
    assert dict(endpoints.get_endpoint(name=endpoint).traffic_split) == {old: 100}
    with pytest.raises(FailedPrecondition, match="traffic"):
        endpoints.undeploy_model(endpoint=endpoint, deployed_model_id=old)
    with pytest.raises(FailedPrecondition):
        endpoints.delete_endpoint(name=endpoint)
    endpoints.undeploy_model(endpoint=endpoint, deployed_model_id=old, traffic_split={new: 100}).result()
    endpoints.undeploy_model(endpoint=endpoint, deployed_model_id=new).result()
    assert dict(endpoints.get_endpoint(name=endpoint).traffic_split) == {}
    endpoints.delete_endpoint(name=endpoint).result()
    assert list(endpoints.list_endpoints(parent=PARENT)) == []


def test_a_deployed_model_is_scaled_and_must_say_what_it_runs_on(
    models: vertex.ModelServiceClient, endpoints: vertex.EndpointServiceClient
) -> None:
    name = upload(models).model
    endpoint = made(endpoints)
    with pytest.raises(InvalidArgument, match="resources"):
        endpoints.deploy_model(endpoint=endpoint, deployed_model={"model": name})
    deployed = deploy(endpoints, endpoint, name, {"0": 100})
    wanted = {"id": deployed, "automatic_resources": {"max_replica_count": 3}}
    mask = {"paths": ["automatic_resources.max_replica_count"]}
    endpoints.mutate_deployed_model(endpoint=endpoint, deployed_model=wanted, update_mask=mask).result()
    (found,) = endpoints.get_endpoint(name=endpoint).deployed_models
    assert (found.automatic_resources.min_replica_count, found.automatic_resources.max_replica_count) == (1, 3)


def test_a_change_by_somebody_else_in_between_is_noticed(endpoints: vertex.EndpointServiceClient) -> None:
    read = endpoints.get_endpoint(name=made(endpoints))
    read.description = "mine"
    endpoints.update_endpoint(endpoint=read, update_mask={"paths": ["description"]})
    with pytest.raises(Aborted):
        endpoints.update_endpoint(endpoint=read, update_mask={"paths": ["description"]})


def test_an_operation_takes_as_long_as_the_test_says(standin: Running, endpoints: vertex.EndpointServiceClient) -> None:
    standin.set(operations_take=3)
    request = {"parent": PARENT, "endpoint": {"display_name": "demand"}, "endpoint_id": "demand"}
    operation = endpoints.create_endpoint(request=request)
    assert list(endpoints.list_endpoints(parent=PARENT)) == []
    assert not operation.done()
    assert operation.done()
    assert operation.result().name == f"{PARENT}/endpoints/demand"


def test_predictions_follow_the_split_and_come_from_whoever_stands_behind(
    standin: Running, models: vertex.ModelServiceClient, endpoints: vertex.EndpointServiceClient
) -> None:
    name = upload(models).model
    upload(models, parent=name)
    endpoint = made(endpoints)
    client = vertex.PredictionServiceClient(client_options=OPTIONS)
    instance = json_format.ParseDict({"series": "a"}, Value())
    with pytest.raises(FailedPrecondition):
        client.predict(endpoint=endpoint, instances=[instance])
    old = deploy(endpoints, endpoint, f"{name}@1", {"0": 100})
    deploy(endpoints, endpoint, f"{name}@2", {"0": 10, old: 90})
    answers = [client.predict(endpoint=endpoint, instances=[instance]) for _ in range(100)]
    assert Counter(each.model_version_id for each in answers) == {"1": 90, "2": 10}
    assert [dict(each) for each in answers[0].predictions] == [{"series": "a"}]
    with receiving((500, {})) as container:
        standin.set(predictions={"*": container.url})
        with pytest.raises(Exception, match="500"):
            client.predict(endpoint=endpoint, instances=[instance])
    assert container.got[0][1] == b'{"instances": [{"series": "a"}]}'


def test_a_custom_jobs_program_is_run_and_its_exit_code_is_the_state(
    standin: Running, jobs: vertex.JobServiceClient
) -> None:
    program = "import os, sys; print(os.environ['GREETING'], *sys.argv[1:]); sys.exit(int(sys.argv[-1]))"
    standin.hook("step", [sys.executable, "-c", program])
    states = []
    for code in ("0", "3"):
        container = {
            "image_uri": "docker.pkg.dev/acme/step:1", "args": ["train", code], "env": [{"name": "GREETING", "value": "hi"}],
        }  # fmt: skip
        spec = {"worker_pool_specs": [{"container_spec": container}]}
        job = jobs.create_custom_job(parent=PARENT, custom_job={"display_name": "train", "job_spec": spec})
        assert job.state.name == "JOB_STATE_PENDING"
        states.append(ended(jobs, job.name))
    assert [each.state.name for each in states] == ["JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED"]
    assert "non-zero status of 3" in states[1].error.message
    assert [each.splitlines()[-1] for each in standin.outputs()] == ["hi train 0", "hi train 3"]


def ended(jobs: vertex.JobServiceClient, name: str) -> Any:
    while True:
        found = jobs.get_custom_job(name=name)
        if found.state.name not in {"JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_CANCELLING"}:
            return found


def test_a_job_is_cancelled_with_its_program(standin: Running, jobs: vertex.JobServiceClient) -> None:
    standin.hook("step", [sys.executable, "-c", "import time; time.sleep(1000)"])
    spec = {"worker_pool_specs": [{"container_spec": {"image_uri": "step"}}]}
    job = jobs.create_custom_job(parent=PARENT, custom_job={"display_name": "train", "job_spec": spec})
    with pytest.raises(FailedPrecondition):
        jobs.delete_custom_job(name=job.name)
    jobs.cancel_custom_job(name=job.name)
    assert ended(jobs, job.name).state.name == "JOB_STATE_CANCELLED"
    cancelled = jobs.list_custom_jobs(request={"parent": PARENT, "filter": 'state="JOB_STATE_CANCELLED"'})
    assert [each.name for each in cancelled] == [job.name]
    jobs.delete_custom_job(name=job.name).result()


# A container: alive at once, it answers each instance with its square, and a request that holds a zero with 500.
SQUARES = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200 if self.path == os.environ["AIP_HEALTH_ROUTE"] else 404, {})
    def do_POST(self):
        found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
        print("asked", self.path, len(found), flush=True)
        self.answer(500 if 0 in found else 200, {"predictions": [each * each for each in found]})
    def answer(self, code, value):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())
http.server.HTTPServer(("127.0.0.1", int(os.environ["AIP_HTTP_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def squares(standin: Running, models: vertex.ModelServiceClient) -> dict[str, Any]:
    """A batch prediction job as it is asked for, of a model whose container squares."""
    storage.Client(project="acme-test").create_bucket("acme")
    standin.hook("squares", [sys.executable, "-c", SQUARES])
    container = {"image_uri": "squares", "predict_route": "/squares", "health_route": "/well"}
    return {
        "display_name": "forecast", "model": f"{upload(models, container_spec=container).model}@1",
        "input_config": {"instances_format": "jsonl", "gcs_source": {"uris": ["gs://acme/in.jsonl"]}},
        "output_config": {"predictions_format": "jsonl", "gcs_destination": {"output_uri_prefix": "gs://acme/out"}},
        "dedicated_resources": {
            "machine_spec": {"machine_type": "n2-standard-4"}, "starting_replica_count": 1, "max_replica_count": 1,
        },
        "manual_batch_tuning_parameters": {"batch_size": 2},
    }  # fmt: skip


def batch(jobs: vertex.JobServiceClient, job: dict[str, Any], *instances: int) -> Any:
    """A job that has ended, after these instances."""
    storage.Client(project="acme-test").bucket("acme").blob("in.jsonl").upload_from_string(
        "\n".join(map(str, instances))
    )
    made = jobs.create_batch_prediction_job(parent=PARENT, batch_prediction_job=job)
    assert made.state.name == "JOB_STATE_PENDING"
    while (found := jobs.get_batch_prediction_job(name=made.name)).state.name == "JOB_STATE_RUNNING":
        threading.Event().wait(0.05)
    return found


def written(job: Any) -> dict[str, list[str]]:
    """The lines of each file in a job's folder."""
    bucket, _, folder = job.output_info.gcs_output_directory.removeprefix("gs://").partition("/")
    found = storage.Client(project="acme-test").list_blobs(bucket, prefix=f"{folder}/")
    return {each.name.rpartition("/")[2]: each.download_as_text().splitlines() for each in found}


def test_a_batch_prediction_asks_the_models_container_and_writes_down_what_it_answers(
    standin: Running, jobs: vertex.JobServiceClient, squares: dict[str, Any]
) -> None:
    found = batch(jobs, squares, 1, 2, 3)
    assert (found.state.name, found.model_version_id) == ("JOB_STATE_SUCCEEDED", "1")
    assert found.completion_stats.successful_count == 3
    assert found.output_info.gcs_output_directory.startswith("gs://acme/out/prediction-demand-20")
    assert written(found) == {
        "prediction.results-00000-of-00002": [f'{{"instance": {n}, "prediction": {n * n}}}' for n in (1, 2)],
        "prediction.results-00001-of-00002": ['{"instance": 3, "prediction": 9}'],
        "prediction.errors_stats-00000-of-00001": [],
    }
    assert [line for line in standin.outputs()[0].splitlines() if line.startswith("asked")] == [
        "asked /squares 2", "asked /squares 1",
    ]  # fmt: skip


def test_instances_that_fail_are_counted_and_a_job_fails_where_all_of_them_do(
    jobs: vertex.JobServiceClient, squares: dict[str, Any]
) -> None:
    some = batch(jobs, squares, 1, 0, 3)
    assert some.state.name == "JOB_STATE_SUCCEEDED"
    assert (some.completion_stats.successful_count, some.completion_stats.failed_count) == (1, 2)
    (line,) = written(some)["prediction.errors_stats-00000-of-00001"]
    assert line.startswith("('Post request fails. Cannot get predictions. Error: Exceeded retries: ")
    assert line.endswith(", 2)")
    none = batch(jobs, squares, 0)
    assert none.state.name == "JOB_STATE_FAILED"
    assert none.error.message.startswith("All 1 predictions failed: Post request fails.")


def test_a_container_that_ends_or_instances_that_are_not_there_fail_a_batch_prediction(
    standin: Running, jobs: vertex.JobServiceClient, squares: dict[str, Any]
) -> None:
    missing = {"instances_format": "jsonl", "gcs_source": {"uris": ["gs://acme/nobody.jsonl"]}}
    assert "nobody.jsonl" in batch(jobs, {**squares, "input_config": missing}, 1).error.message
    standin.hook("squares", [sys.executable, "-c", "raise SystemExit(3)"])
    ended = batch(jobs, squares, 1)
    assert ended.state.name == "JOB_STATE_FAILED"
    assert ended.error.message == "Model server terminated: model server container exited with code 3."


def test_a_batch_prediction_is_cancelled_with_its_container(
    jobs: vertex.JobServiceClient, squares: dict[str, Any], standin: Running
) -> None:
    standin.hook("squares", [sys.executable, "-c", "import signal; signal.pause()"])
    made = jobs.create_batch_prediction_job(parent=PARENT, batch_prediction_job=squares)
    jobs.cancel_batch_prediction_job(name=made.name)
    assert jobs.get_batch_prediction_job(name=made.name).state.name == "JOB_STATE_CANCELLED"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"display_name": ""}, InvalidArgument),
        ({"dedicated_resources": {}}, InvalidArgument),
        ({"input_config": {}}, InvalidArgument),
        ({"output_config": {}}, InvalidArgument),
        ({"model": f"{PARENT}/models/demand@9"}, NotFound),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_batch_prediction_that_lacks_something_is_refused(
    jobs: vertex.JobServiceClient, squares: dict[str, Any], change: dict[str, Any], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        jobs.create_batch_prediction_job(parent=PARENT, batch_prediction_job={**squares, **change})
    assert not list(jobs.list_batch_prediction_jobs(parent=PARENT))
