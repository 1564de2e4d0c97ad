"""Jobs of Vertex AI, of one kind: begun once, found again by the step's key that they carry as a label, and waited for.

A job that runs already, from a loop that was killed, is waited for and not started again, and so is one whose start was never
answered (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from mlspec.errors import TargetError
from mlspec.spec.escaping import log_filter
from mlspec.spec.gcp.location import Place
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.failure_log import Ended, since
from mlspec.targets.gcp.retry import TIMEOUT, patiently, tenacity_of_the_extra
from mlspec.targets.gcp.vertex.model_registry import OURS

LONG = 6 * 3600  # seconds: as long as the forecast's job on Cloud Run may take
STEP_LABEL = "mlspec-step"
Kind = Literal["custom_job", "batch_prediction_job"]
# Of which type the resource of a job's log is. Google's pages do not say it of a batch prediction job: its id finds it alone.
_LOG: dict[Kind, str] = {"custom_job": 'resource.type="ml_job" AND ', "batch_prediction_job": ""}
_KEY = 32  # characters of a step's key: a label has 63 at most
_FIRST, _LONGEST = 0.5, 30.0  # seconds between two looks at a job, at first and at most
# How a job ended that Vertex AI says nothing more about.
_UNSAID = {"JOB_STATE_CANCELLED": "it was cancelled", "JOB_STATE_EXPIRED": "it took longer than it may"}
WELL = "JOB_STATE_SUCCEEDED"
_UNDER_WAY = tuple(f"JOB_STATE_{word}" for word in ("QUEUED", "PENDING", "RUNNING", "UPDATING", "PAUSED", "CANCELLING"))


class Jobs:
    """The jobs of one kind, as the names of its methods have it, in one project and region."""

    def __init__(self, clients: Clients, kind: Kind) -> None:
        self._clients, self._kind = clients, kind
        self._parent = f"projects/{clients.project}/locations/{clients.region}"

    def begin(self, key: str, job: Mapping[str, Any], what: str, done: Callable[[], bool]) -> str | None:
        """Return the job that runs for a step, by its key, started where none does.

        None where `done` says that one has ended meanwhile: it is asked once nothing runs, so that nothing slips through between
        the two. An answer that was lost is found again by the label. Raises TargetError.
        """

        def once() -> str | None:
            running = next((str(each.name) for each in self._of(key) if each.state.name in _UNDER_WAY), None)
            if running or done():
                return running
            return str(self._call("create", {"parent": self._parent, self._kind: dict(job)}).name)

        return patiently(once, what)

    def of(self, key: str) -> Sequence[Any]:
        """Return a step's jobs, the newest first."""
        found = patiently(lambda: list(self._of(key)), "look for a job")
        return sorted(found, key=lambda job: job.create_time, reverse=True)

    def wait(self, name: str) -> Any:
        """Wait until a job is over, and return it. Raises TargetError where it still runs after LONG."""
        tenacity = tenacity_of_the_extra()
        looks = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda job: job.state.name in _UNDER_WAY),
            wait=tenacity.wait_exponential(multiplier=_FIRST, exp_base=4 / 3, max=_LONGEST),
            stop=tenacity.stop_after_delay(LONG),
            retry_error_callback=lambda _state: None,
        )
        found = looks(lambda: self._look(name))
        if found is None:
            raise TargetError(
                f"{name} still runs after {LONG / 3600:.0f} hours",
                hint="look at it in the console, or cancel it: then it is started anew",
            )
        return found

    def ended(self, name: str) -> Ended:
        """Return why a job ended, as Vertex AI says it, and the filter of its log."""
        from google.api_core.exceptions import NotFound

        log = f"{_LOG[self._kind]}resource.labels.job_id={log_filter(name.rpartition('/')[2])}"
        try:
            found = self._look(name)
        except (NotFound, TargetError):
            return Ended(log)
        return Ended(log + since(found.create_time), found.error.message or _UNSAID.get(found.state.name, ""))

    def _of(self, key: str) -> Iterable[Any]:
        asked = {"parent": self._parent, "filter": f'labels.{STEP_LABEL}="{key[:_KEY]}"'}
        found: Iterable[Any] = self._call("list", asked)
        return found

    def _look(self, name: str) -> Any:
        return patiently(lambda: self._call("get", {"name": name}), "look at a job")

    def _call(self, verb: str, request: Mapping[str, Any]) -> Any:
        method = getattr(self._clients.vertex_jobs, f"{verb}_{self._kind}{'s' if verb == 'list' else ''}")
        return method(request=request, retry=None, timeout=TIMEOUT)


def labels(forecast: str, key: str) -> dict[str, str]:
    """Return what a step's job is found by."""
    return {**OURS, "mlspec-forecast": forecast, STEP_LABEL: key[:_KEY]}


def account(place: Place, forecast: str) -> str:
    """Return the account that a forecast's steps run as."""
    return f"{derived_names(forecast)['service account of training']}@{place.project}.iam.gserviceaccount.com"
