"""Cloud Run's jobs, Secret Manager and KMS by their own clients, unchanged."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core.exceptions import Aborted, FailedPrecondition, InvalidArgument, NotFound
from google.cloud import kms_v1 as kms
from google.cloud import run_v2 as run
from google.cloud import secretmanager_v1 as secretmanager
from google.protobuf.timestamp_pb2 import Timestamp

from tests.gcp.standin.commands import Run
from tests.gcp.standin.harness import Running
from tests.gcp.standin.services.run_jobs import Executions

PARENT = "projects/acme-test/locations/southamerica-east1"
SAYS = "import os, sys; print(*sys.argv[1:], os.environ['MODE'], os.environ['CLOUD_RUN_TASK_ATTEMPT']); sys.exit(int(sys.argv[1]))"


@pytest.fixture
def jobs(standin: Running) -> run.JobsClient:
    standin.hook("step:1", [sys.executable, "-c", SAYS])
    return run.JobsClient()


def made(jobs: run.JobsClient, **template: Any) -> str:
    container = {"image": "docker.pkg.dev/acme/step:1", "args": ["0"], "env": [{"name": "MODE", "value": "daily"}]}
    job = {"template": {"template": {"containers": [container], **template}}, "labels": {"forecast": "demand"}}
    return str(jobs.create_job(parent=PARENT, job=job, job_id="demand").result().name)


def test_a_job_runs_its_program_with_what_the_call_says_instead(standin: Running, jobs: run.JobsClient) -> None:
    name = made(jobs)
    assert jobs.run_job(name=name).result().succeeded_count == 1
    instead = {"args": ["0", "backfill"], "env": [{"name": "MODE", "value": "once"}]}
    operation = jobs.run_job(request={"name": name, "overrides": {"container_overrides": [instead]}})
    assert operation.metadata.name.startswith(f"{name}/executions/demand-")
    assert operation.result().succeeded_count == 1
    assert [each.splitlines()[-1] for each in standin.outputs()] == ["0 daily 0", "0 backfill once 0"]
    job = jobs.get_job(name=name)
    assert (job.execution_count, job.latest_created_execution.name) == (2, operation.metadata.name)
    assert [each.name for each in jobs.list_jobs(parent=PARENT)] == [name]


def test_a_job_that_is_changed_keeps_what_was_not_said(jobs: run.JobsClient) -> None:
    name = made(jobs)
    container = {"image": "docker.pkg.dev/acme/step:2"}
    jobs.update_job(job={"name": name, "template": {"template": {"containers": [container]}}}).result()
    job = jobs.get_job(name=name)
    assert job.template.template.containers[0].image == "docker.pkg.dev/acme/step:2"
    assert dict(job.labels) == {"forecast": "demand"}


def test_a_job_goes_with_its_executions(jobs: run.JobsClient) -> None:
    name = made(jobs)
    jobs.run_job(name=name).result()
    assert jobs.delete_job(name=name).result().name == name
    with pytest.raises(NotFound):
        jobs.get_job(name=name)
    assert list(run.ExecutionsClient().list_executions(parent=name)) == []


def test_a_program_that_fails_is_tried_again_and_the_execution_says_so(standin: Running, jobs: run.JobsClient) -> None:
    name = made(jobs, max_retries=1)
    overrides = {"container_overrides": [{"args": ["7"]}], "task_count": 2}
    found = jobs.run_job(request={"name": name, "overrides": overrides}).result()
    assert (found.failed_count, found.succeeded_count, found.retried_count) == (2, 0, 2)
    (kept,) = run.ExecutionsClient().list_executions(parent=name)
    assert (kept.conditions[0].state.name, kept.completion_time) == ("CONDITION_FAILED", found.completion_time)
    assert len(standin.outputs()) == 4
    assert [each.last_attempt_result.exit_code for each in run.TasksClient().list_tasks(parent=found.name)] == [7, 7]


class EndsAfterOneLook(Run):
    """A program that has ended when it is looked at for the second time."""

    looks = 0

    @property
    def done(self) -> bool:
        self.looks += 1
        return self.looks > 1


def test_a_program_that_ends_while_its_execution_is_looked_at_has_its_log(tmp_path: Path) -> None:
    for name in ("output.txt", "errors.txt"):
        (tmp_path / name).touch()
    program = EndsAfterOneLook(lambda: None, lambda: True, tmp_path / "output.txt", tmp_path / "errors.txt")
    told: list[str] = []
    cloud: Any = SimpleNamespace(
        resources={}, next_id=lambda: "1", stamp=lambda *_, **__: None, timestamp=Timestamp,
        commands=SimpleNamespace(start=lambda *_: program),
        service=lambda _: SimpleNamespace(wrote=lambda _log, _origin, line: told.append(line)),
    )  # fmt: skip
    job = run.Job.pb()(name=f"{PARENT}/jobs/demand")
    job.template.template.containers.add(image="step:1")
    executions = Executions(cloud)
    execution = executions.start(job, run.RunJobRequest.pb()().overrides)
    assert executions.look(execution).running_count == 1
    assert told == []
    assert executions.look(execution).succeeded_count == 1
    assert told == ["Container called exit(0)."]


def test_an_execution_is_cancelled_with_its_program(standin: Running, jobs: run.JobsClient) -> None:
    standin.hook("step:1", [sys.executable, "-c", "import time; time.sleep(1000)"])
    operation = jobs.run_job(name=made(jobs))
    executions = run.ExecutionsClient()
    assert executions.get_execution(name=operation.metadata.name).running_count == 1
    executions.cancel_execution(name=operation.metadata.name).result()
    found = operation.result()
    assert (found.cancelled_count, found.conditions[0].execution_reason.name) == (1, "CANCELLED")


def test_a_job_must_be_there_and_have_a_container(jobs: run.JobsClient) -> None:
    with pytest.raises(NotFound):
        jobs.run_job(name=f"{PARENT}/jobs/nobody")
    with pytest.raises(InvalidArgument):
        jobs.create_job(parent=PARENT, job={}, job_id="demand")


@pytest.fixture
def secrets(standin: Running) -> secretmanager.SecretManagerServiceClient:
    return secretmanager.SecretManagerServiceClient()


def kept(secrets: secretmanager.SecretManagerServiceClient, *said: bytes) -> str:
    secret = {"replication": {"automatic": {}}, "labels": {"forecast": "demand"}}
    name = secrets.create_secret(parent="projects/acme-test", secret_id="token", secret=secret).name
    for each in said:
        secrets.add_secret_version(parent=name, payload={"data": each})
    return str(name)


def test_the_latest_version_is_what_a_secret_says(secrets: secretmanager.SecretManagerServiceClient) -> None:
    name = kept(secrets, b"one", b"two")
    answer = secrets.access_secret_version(name=f"{name}/versions/latest")
    assert (answer.name, answer.payload.data) == (f"{name}/versions/2", b"two")
    assert secrets.access_secret_version(name=f"{name}/versions/1").payload.data == b"one"
    with pytest.raises(NotFound):
        secrets.access_secret_version(name=f"{name}/versions/3")


def test_a_version_that_is_disabled_or_destroyed_says_nothing(
    secrets: secretmanager.SecretManagerServiceClient,
) -> None:
    name = kept(secrets, b"one", b"two")
    secrets.disable_secret_version(name=f"{name}/versions/2")
    with pytest.raises(FailedPrecondition, match="DISABLED"):
        secrets.access_secret_version(name=f"{name}/versions/latest")
    secrets.enable_secret_version(name=f"{name}/versions/2")
    assert secrets.access_secret_version(name=f"{name}/versions/latest").payload.data == b"two"
    secrets.destroy_secret_version(name=f"{name}/versions/1")
    with pytest.raises(FailedPrecondition, match="DESTROYED"):
        secrets.enable_secret_version(name=f"{name}/versions/1")
    states = [each.state.name for each in secrets.list_secret_versions(parent=name)]
    assert states == ["ENABLED", "DESTROYED"]
    secrets.delete_secret(name=name)
    with pytest.raises(NotFound):
        secrets.get_secret_version(name=f"{name}/versions/2")


def test_secrets_are_found_by_label_and_changed_by_etag(secrets: secretmanager.SecretManagerServiceClient) -> None:
    read = secrets.get_secret(name=kept(secrets))
    (found,) = secrets.list_secrets(request={"parent": "projects/acme-test", "filter": "labels.forecast=demand"})
    assert found.name == read.name
    read.labels["team"] = "ops"
    secrets.update_secret(secret=read, update_mask={"paths": ["labels"]})
    with pytest.raises(Aborted):
        secrets.update_secret(secret=read, update_mask={"paths": ["labels"]})


def test_what_a_key_encrypted_it_alone_decrypts(standin: Running) -> None:
    client = kms.KeyManagementServiceClient()
    ring = client.create_key_ring(parent=PARENT, key_ring_id="mlspec", key_ring={}).name
    purpose = {"purpose": "ENCRYPT_DECRYPT"}
    one = client.create_crypto_key(parent=ring, crypto_key_id="state", crypto_key=purpose).name
    two = client.create_crypto_key(parent=ring, crypto_key_id="other", crypto_key=purpose).name
    sealed = client.encrypt(name=one, plaintext=b"secret").ciphertext
    assert client.decrypt(name=one, ciphertext=sealed).plaintext == b"secret"
    for name, text in ((two, sealed), (one, sealed[:-1])):
        with pytest.raises(InvalidArgument):
            client.decrypt(name=name, ciphertext=text)
    with pytest.raises(NotFound):
        client.encrypt(name=f"{ring}/cryptoKeys/nobody", plaintext=b"x")
