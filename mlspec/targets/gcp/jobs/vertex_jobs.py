"""Jobs of Vertex AI, of one kind: begun once, found again by the step's key that they carry as a label, and waited for.

A job that runs already, from a loop that was killed, is waited for and not started again, and so is one whose start was never
answered (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from mlspec.errors import TargetError
from mlspec.spec.escaping import log_filter
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.failure_log import JobEnd, since_filter
from mlspec.targets.gcp.retry import LONG, TIMEOUT, call_with_retries, poll_until
from mlspec.targets.gcp.vertex.model_registry import OURS

STEP_LABEL = "mlspec-step"
JobKind = Literal["custom_job", "batch_prediction_job"]
# Of which type the resource of a job's log is. Google's pages do not say it of a batch prediction job: its id finds it alone.
_LOG: dict[JobKind, str] = {"custom_job": 'resource.type="ml_job" AND ', "batch_prediction_job": ""}
_KEY = 32  # characters of a step's key: a label has 63 at most
# How a job ended that Vertex AI says nothing more about.
_UNSAID = {"JOB_STATE_CANCELLED": "it was cancelled", "JOB_STATE_EXPIRED": "it took longer than it may"}
WELL = "JOB_STATE_SUCCEEDED"
_UNDER_WAY = tuple(f"JOB_STATE_{word}" for word in ("QUEUED", "PENDING", "RUNNING", "UPDATING", "PAUSED", "CANCELLING"))


class VertexJobs:
    """The jobs of one kind, as the names of its methods have it, in one project and region."""

    def __init__(self, clients: Clients, kind: JobKind) -> None:
        self._clients, self._kind = clients, kind
        self._parent = f"projects/{clients.project}/locations/{clients.region}"

    def start_once(self, key: str, job: Mapping[str, Any], what: str, is_done: Callable[[], bool]) -> str | None:
        """Return the job that runs for a step, by its key, started where none does.

        None where `done` says that one has ended meanwhile: it is asked once nothing runs, so that nothing slips through between
        the two. An answer that was lost is found again by the label. Raises TargetError.
        """

        def find_or_create() -> str | None:
            running = next(
                (
                    str(running_job.name)
                    for running_job in self._list_by_key(key)
                    if running_job.state.name in _UNDER_WAY
                ),
                None,
            )
            if running or is_done():
                return running
            return str(self._call_service("create", {"parent": self._parent, self._kind: dict(job)}).name)

        return call_with_retries(find_or_create, what)

    def list_jobs(self, key: str) -> Sequence[Any]:
        """Return a step's jobs, the newest first."""
        jobs = call_with_retries(lambda: list(self._list_by_key(key)), "look for a job")
        return sorted(jobs, key=lambda job: job.create_time, reverse=True)

    def wait_until_done(self, name: str) -> Any:
        """Wait until a job is over, and return it. Raises TargetError where it still runs after LONG."""
        finished_job = poll_until(lambda: self._get_job(name), lambda job: job.state.name not in _UNDER_WAY, LONG)
        if finished_job is None:
            raise TargetError(
                f"{name} still runs after {LONG / 3600:.0f} hours",
                hint="look at it in the console, or cancel it: then it is started anew",
            )
        return finished_job

    def describe_end(self, name: str) -> JobEnd:
        """Return why a job ended, as Vertex AI says it, and the filter of its log."""
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
    """Return what a step's job is found by."""
    return {**OURS, "mlspec-forecast": forecast, STEP_LABEL: key[:_KEY]}


def service_account(place: GcpLocation, forecast: str) -> str:
    """Return the account that a forecast's steps run as."""
    return f"{derived_names(forecast)['service account of training']}@{place.project}.iam.gserviceaccount.com"
