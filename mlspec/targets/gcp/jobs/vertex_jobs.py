"""Starts a Vertex AI job at most once per step: a running job is found by the step's key, which is a label.

This also holds if the loop that started the job was killed, or if the answer to its start was lost
(https://cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from mlspec.errors import TargetError
from mlspec.spec.escaping import log_filter
from mlspec.spec.gcp.labels import FORECAST_LABEL, MANAGED_BY, MANAGED_FILTER
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.failure_log import JobEnd, since_filter
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries

STEP_LABEL = "mlspec-step"
JobKind = Literal["custom_job", "batch_prediction_job"]
# The resource type of a job's log. Google does not document it for batch prediction jobs; their id is enough.
_LOG: dict[JobKind, str] = {"custom_job": 'resource.type="ml_job" AND ', "batch_prediction_job": ""}
_PAGE = 100
_KEY = 32  # characters of a step's key in the label, whose limit is 63
# The reason for the end of a job without an error message.
_UNSAID = {"JOB_STATE_CANCELLED": "it was cancelled", "JOB_STATE_EXPIRED": "it exceeded its time limit"}
WELL = "JOB_STATE_SUCCEEDED"
_UNDER_WAY = tuple(f"JOB_STATE_{word}" for word in ("QUEUED", "PENDING", "RUNNING", "UPDATING", "PAUSED", "CANCELLING"))

_ENDED = tuple(f"JOB_STATE_{word}" for word in ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"))
_ENDING = "JOB_STATE_CANCELLING"  # it writes no result any more


class VertexJobs:
    """The jobs of one kind in one project and region. The kind is part of the names of the API's methods."""

    def __init__(self, clients: Clients, kind: JobKind) -> None:
        self._clients, self._kind = clients, kind
        self._parent = f"projects/{clients.project}/locations/{clients.region}"

    def start_once(self, key: str, job: Mapping[str, Any], what: str, is_done: Callable[[], bool]) -> str | None:
        """Return the running job of the step with this key; if there is none, create it.

        Return None if `is_done` returns true, that is, an earlier job has finished. It is called only after no running job was
        found, so that one that ends in between is not missed. If the answer to a start was lost, the retry finds the job by its
        label. Raises TargetError.
        """

        def find_or_create() -> str | None:
            running = next(
                (
                    str(running_job.name)
                    for running_job in self._list_by_key(key)
                    if running_job.state.name in _UNDER_WAY and running_job.state.name != _ENDING
                ),
                None,
            )
            if running or is_done():
                return running
            return str(self._call_service("create", {"parent": self._parent, self._kind: dict(job)}).name)

        return call_with_retries(find_or_create, what)

    def list_jobs(self, key: str) -> Sequence[Any]:
        """Return a step's jobs, newest first."""
        jobs = call_with_retries(lambda: list(self._list_by_key(key)), "look for a job")
        return sorted(jobs, key=lambda job: job.create_time, reverse=True)

    def find_ended(self, name: str) -> Any | None:
        """Return a job that has ended; None while it runs. Raises TargetError."""
        job = self._get_job(name)
        return None if job.state.name in _UNDER_WAY else job

    def is_over(self, name: str) -> bool:
        """Return whether a job has ended or was deleted."""
        from google.api_core.exceptions import NotFound

        try:
            return self.find_ended(name) is not None
        except NotFound:
            return True

    def list_running(self) -> frozenset[str]:
        """Return the names of all of mlspec's jobs that have not ended. Makes one list call per hundred jobs."""
        states = " AND ".join(f'state!="{state}"' for state in _ENDED)
        request = {"parent": self._parent, "filter": f"{MANAGED_FILTER} AND {states}", "page_size": _PAGE}
        jobs = call_with_retries(lambda: list(self._call_service("list", request)), "list the running jobs")
        return frozenset(str(job.name) for job in jobs)

    def cancel_job(self, name: str) -> None:
        """Ask for the end of a job, if it runs."""
        call_with_retries(lambda: self._call_service("cancel", {"name": name}), "cancel a job")

    def describe_end(self, name: str) -> JobEnd:
        """Return Vertex AI's reason for a job's end, and the filter of its log."""
        from google.api_core.exceptions import NotFound

        log = f"{_LOG[self._kind]}resource.labels.job_id={log_filter(name.rpartition('/')[2])}"
        try:
            job = self._get_job(name)
        except (NotFound, TargetError):
            return JobEnd(log)
        return JobEnd(log + since_filter(job.create_time), job.error.message or _UNSAID.get(job.state.name, ""))

    def _list_by_key(self, key: str) -> Iterable[Any]:
        request = {"parent": self._parent, "filter": f'labels.{STEP_LABEL}="{key[:_KEY]}"'}
        jobs: Iterable[Any] = self._call_service("list", request)
        return jobs

    def _get_job(self, name: str) -> Any:
        return call_with_retries(lambda: self._call_service("get", {"name": name}), "look at a job")

    def _call_service(self, verb: str, request: Mapping[str, Any]) -> Any:
        method = getattr(self._clients.vertex_jobs, f"{verb}_{self._kind}{'s' if verb == 'list' else ''}")
        return method(request=request, retry=None, timeout=TIMEOUT)


def job_labels(forecast: str, key: str) -> dict[str, str]:
    """Return the labels that identify a step's job."""
    return {**MANAGED_BY, FORECAST_LABEL: forecast, STEP_LABEL: key[:_KEY]}


def service_account(place: GcpLocation, forecast: str) -> str:
    """Return the service account of a forecast's steps."""
    return f"{derived_names(forecast)['service account of training']}@{place.project}.iam.gserviceaccount.com"
