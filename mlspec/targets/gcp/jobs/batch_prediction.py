"""Forecasts a version's series by a batch prediction job of Vertex AI, which runs the version's server on the machine in the spec.

The job has one replica, because every replica computes all forecasts when it starts (docs/decisions/0017). A finished job's output
is used as long as it exists. So a loop that was killed after the job ended does not start a second job
(https://cloud.google.com/vertex-ai/docs/predictions/get-batch-predictions).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.errors import TargetError, WorkUnderWay
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.object_address import parse_object_address
from mlspec.spec.stored import read_stored_spec
from mlspec.state.ledger import StartedWork
from mlspec.state.step import RemoteStep
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs import failure_log
from mlspec.targets.gcp.jobs.failure_log import JobEnd
from mlspec.targets.gcp.jobs.vertex_jobs import WELL, VertexJobs, job_labels, service_account
from mlspec.targets.gcp.record.bucket import Bucket, StoredObject
from mlspec.targets.gcp.retry import LONG
from mlspec.targets.gcp.vertex.model_registry import ModelRegistry

_FORMAT = "jsonl"
# Prefixes of a job's output files: those of a container's job, and those in the API's reference.
_PREDICTIONS = ("prediction.results-", "predictions_")
_ERRORS = ("prediction.errors_stats-", "errors_")


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A request for one version's forecast by a batch prediction job.

    `instances` and `answers` are gs:// addresses of input and output.
    """

    forecast: str
    version: str
    key: str
    machine: str
    instances: str
    answers: str


def batch_machine(step: RemoteStep) -> str | None:
    """Return the machine for a step's batch prediction job; None if the step itself computes the forecast.

    A server answers from the newest data, and cannot forecast from an earlier cutoff. The step itself makes the shadow of a version
    without traffic.
    """
    traffic = step.options.get("traffic")
    if step.step != "forecast" or not traffic or not all(traffic.values()) or step.options.get("cutoffs"):
        return None
    return read_stored_spec(step.spec).deployment.batch_machine


class BatchPredictions:
    """The batch prediction jobs of one target's forecasts, whose files are in `state`."""

    def __init__(self, clients: Clients, place: GcpLocation, state: Bucket) -> None:
        self._clients, self._place, self._state = clients, place, state
        self._jobs = VertexJobs(clients, "batch_prediction_job")

    def run_job(self, request: BatchRequest, known: StartedWork | None) -> Sequence[str]:
        """Return the objects with a job's predictions. `known` is the job that was started and recorded for them, if any.

        Raises WorkUnderWay while a job runs, which is started if there is none. Raises TargetError with Vertex AI's reason and the
        log's address if an instance has no prediction.
        """
        if known:
            return self._known_predictions(request, known)
        existing: Sequence[str] = ()

        def is_done() -> bool:
            nonlocal existing
            existing = next(
                (
                    predictions
                    for job in self._jobs.list_jobs(request.key)
                    if (predictions := self._prediction_objects(job))
                ),
                (),
            )
            return bool(existing)

        what = f"start the batch prediction job of {request.forecast} on {request.machine}"
        name = self._jobs.start_once(request.key, self._job_body(request), what, is_done)
        if name is None:
            return existing
        raise _under_way(request, name)

    def _known_predictions(self, request: BatchRequest, known: StartedWork) -> Sequence[str]:
        job = self._jobs.find_ended(known.name)
        if job is None:
            raise _under_way(request, known.name)
        predictions = self._prediction_objects(job)
        if not predictions:
            raise failure_log.missing_result_error(
                self._clients, "the batch prediction job", self._explain_failure(job)
            )
        return predictions

    def _prediction_objects(self, job: Any) -> Sequence[str]:
        """Return the objects with a successful job's predictions; empty if any instance failed."""
        if job.state.name != WELL or job.completion_stats.failed_count or self._error_objects(job):
            return ()
        return [stored.name for stored in self._written_objects(job, _PREDICTIONS)]

    def _error_objects(self, job: Any) -> Sequence[str]:
        """Return the objects with the errors of failed instances. Empty objects, which say that none failed, are omitted."""
        return [stored.name for stored in self._written_objects(job, _ERRORS) if stored.size]

    def _written_objects(self, job: Any, names: tuple[str, ...]) -> Iterator[StoredObject]:
        folder = parse_object_address(job.output_info.gcs_output_directory).name.rstrip("/")
        objects = self._state.list_objects(f"{folder}/") if folder else ()
        return (stored for stored in objects if stored.name.removeprefix(f"{folder}/").startswith(names))

    def _explain_failure(self, job: Any) -> JobEnd:
        """Return why a job has no usable predictions."""
        ended, failed = self._jobs.describe_end(job.name), job.completion_stats.failed_count
        error_texts = [
            content[0].decode(errors="replace")
            for name in self._error_objects(job)
            if (content := self._state.read_object(name))
        ]
        if ended.reason or (job.state.name != WELL and not error_texts):
            return ended
        reason = error_texts[0].partition("\n")[0] if error_texts else "it wrote no predictions"
        return JobEnd(ended.log, f"{failed:,} instances failed: {reason}" if failed else reason)

    def _job_body(self, request: BatchRequest) -> dict[str, Any]:
        machine = {
            "machine_spec": {"machine_type": request.machine},
            "starting_replica_count": 1,
            "max_replica_count": 1,
        }
        return {
            "display_name": f"mlspec-{request.forecast}-forecast",
            "labels": job_labels(request.forecast, request.key),
            "model": self._registered_model(request.forecast, request.version),
            "input_config": {"instances_format": _FORMAT, "gcs_source": {"uris": [request.instances]}},
            "output_config": {"predictions_format": _FORMAT, "gcs_destination": {"output_uri_prefix": request.answers}},
            "dedicated_resources": machine,
            "service_account": service_account(self._place, request.forecast),
            "encryption_spec": {"kms_key_name": self._place.key},
        }

    def _registered_model(self, forecast: str, version: str) -> str:
        """Return a registered version's full name. Its server answers with that version alone."""
        registered = ModelRegistry(self._clients).find_version(forecast, version)
        if registered is None:
            raise TargetError(
                f"the model registry does not have {version} of {forecast}",
                hint="run `mlspec apply`: it registers the serving versions",
            )
        return registered.name


def _under_way(request: BatchRequest, name: str) -> WorkUnderWay:
    return WorkUnderWay(kind="batch-prediction", name=name, mark=request.key, what="batch prediction", limit=LONG)
