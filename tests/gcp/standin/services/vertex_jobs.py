"""Vertex AI's jobs: a custom job's container, and that of a batch prediction's model, is really run where a test named a program.

PENDING when made, RUNNING at the next look, then what the program ended with, or what came of the predictions. Without a program a
custom job went well, and a batch prediction waits for nobody and fails.
"""

from __future__ import annotations

import json
from typing import Any

from google.cloud.aiplatform_v1.types import JobState
from google.cloud.logging_v2.types import LogEntry
from google.logging.type.log_severity_pb2 import LogSeverity
from google.protobuf.empty_pb2 import Empty

from tests.gcp.standin import standard
from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.commands import Run
from tests.gcp.standin.refused import invalid, precondition
from tests.gcp.standin.rpcs import Rpc
from tests.gcp.standin.services import vertex_batch
from tests.gcp.standin.services.logs import Logs
from tests.gcp.standin.services.vertex_models import Models

_ENDED = {JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED}
_REPLICA = "workerpool0-0"
_RESOURCES = {"CustomJob": "ml_job", "BatchPredictionJob": "aiplatform.googleapis.com/BatchPredictionJob"}


class Jobs:
    """The custom jobs and batch prediction jobs of one cloud; they are kept among its resources."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._runs: dict[str, Run] = {}
        self._predictions: dict[str, vertex_batch.Prediction] = {}

    def create_custom_job(self, rpc: Rpc, request: Any) -> Any:
        """Start a custom job: one container, the first worker pool's."""
        pools = request.custom_job.job_spec.worker_pool_specs
        if len(pools) != 1 or not pools[0].container_spec.image_uri:
            raise invalid("the stand-in runs one worker pool with a container_spec.image_uri")
        spec = pools[0].container_spec
        job = self._created(rpc, request)
        env = {"CLOUD_ML_PROJECT_ID": job.name.split("/")[1], **{each.name: each.value for each in spec.env}}
        self._runs[job.name] = self._cloud.commands.start(
            spec.image_uri, spec.args, env, request.custom_job.job_spec.service_account
        )
        return job

    def create_batch_prediction_job(self, rpc: Rpc, request: Any) -> Any:
        """Start a batch prediction of a model that is there, by its container."""
        vertex_batch.check(request.batch_prediction_job)
        _, version = self._cloud.service(Models).find(request.batch_prediction_job.model)
        job = self._created(rpc, request)
        job.model_version_id = version.version_id
        self._predictions[job.name] = vertex_batch.Prediction(self._cloud, job, version)
        return job

    def _created(self, rpc: Rpc, request: Any) -> Any:
        job = standard.create(self._cloud, rpc, request)
        if not job.display_name:
            del self._cloud.resources[job.name]
            raise invalid("display_name is required.")
        job.state = JobState.JOB_STATE_PENDING
        return job

    def _look(self, job: Any) -> Any:
        if job.state == JobState.JOB_STATE_PENDING:
            job.state = JobState.JOB_STATE_RUNNING
            job.start_time.CopyFrom(self._cloud.timestamp())
        elif job.state == JobState.JOB_STATE_CANCELLING:
            self._end(job, JobState.JOB_STATE_CANCELLED)
        elif job.state == JobState.JOB_STATE_RUNNING and job.name in self._predictions:
            self._look_at_prediction(job, self._predictions[job.name])
        elif job.state == JobState.JOB_STATE_RUNNING and self._runs[job.name].done:
            run = self._runs[job.name]
            self._ended(job, run, "" if run.succeeded else _why(run))
        return job

    def _look_at_prediction(self, job: Any, found: vertex_batch.Prediction) -> None:
        if not found.done:
            return
        job.output_info.gcs_output_directory = found.folder
        job.completion_stats.successful_count = found.predicted
        job.completion_stats.failed_count = sum(count for _, count in found.failed)
        self._ended(job, found.run, found.error)

    def _ended(self, job: Any, run: Run, error: str) -> None:
        self._end(job, JobState.JOB_STATE_FAILED if error else JobState.JOB_STATE_SUCCEEDED)
        if error:
            job.error.code = 3
            job.error.message = error
        self._tell(job, run)

    def _tell(self, job: Any, run: Run) -> None:
        """Write its lines into the log: stderr's as errors, each as JSON with the level beside it."""
        project, name = job.name.split("/")[1], job.name.rpartition("/")[2]
        origin = LogEntry.pb()()
        origin.resource.type = _RESOURCES[job.DESCRIPTOR.name]
        origin.resource.labels.update(project_id=project, job_id=name, task_name=_REPLICA)
        for level, lines in zip(("INFO", "ERROR"), run.lines, strict=True):
            origin.severity = LogSeverity.Value(level)
            for line in lines:
                said = line if line.startswith("{") else json.dumps({"message": line, "levelname": level})
                self._cloud.service(Logs).wrote(f"projects/{project}/logs/{_REPLICA}", origin, said)

    def _end(self, job: Any, state: JobState) -> None:
        job.state = state
        job.end_time.CopyFrom(self._cloud.timestamp())
        self._cloud.stamp(job)

    def _get(self, rpc: Rpc, request: Any) -> Any:
        return self._look(self._cloud.get(request.name))

    def _list(self, rpc: Rpc, request: Any) -> Any:
        kind = rpc.name.removeprefix("List")
        for job in self._cloud.below(request.parent, kind[0].lower() + kind[1:]):
            self._look(job)
        return standard.list_(self._cloud, rpc, request)

    def _cancel(self, rpc: Rpc, request: Any) -> Any:
        job = self._cloud.get(request.name)
        if job.state not in _ENDED:
            (self._runs.get(job.name) or self._predictions[job.name]).kill()
            job.state = JobState.JOB_STATE_CANCELLING
        return Empty()

    def _delete(self, rpc: Rpc, request: Any) -> Any:
        if self._cloud.get(request.name).state not in _ENDED:
            raise precondition(f"{request.name} is not in a final state: cancel it first.")
        return standard.delete(self._cloud, rpc, request)

    get_custom_job = get_batch_prediction_job = _get
    list_custom_jobs = list_batch_prediction_jobs = _list
    cancel_custom_job = cancel_batch_prediction_job = _cancel
    delete_custom_job = delete_batch_prediction_job = _delete


def _why(run: Run) -> str:
    if run.killed:
        return f"The replica {_REPLICA} ran out-of-memory and exited with a non-zero status of 137."
    return f"The replica {_REPLICA} exited with a non-zero status of {run.exit_code}."
