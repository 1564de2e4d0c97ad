"""Runs a step as a custom job of Vertex AI, on the machine that the spec names, under the forecast's own account.

A job carries the step's key as a label: one that runs already, from a loop that was killed, is waited for and not started again
(https://cloud.google.com/vertex-ai/docs/training/create-custom-job).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.errors import TargetError
from mlspec.spec.names import derived_names
from mlspec.spec.place import Place
from mlspec.spec.quoted import log_filter
from mlspec.targets.gcp.calls import TIMEOUT, patiently, tenacity_of_the_extra
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.registry import OURS
from mlspec.targets.gcp.said import Ended, since

STEP_LABEL = "mlspec-step"
_LONG = 6 * 3600  # seconds: as long as the forecast's job on Cloud Run may take
_KEY = 32  # characters of a step's key: a label has 63 at most
_FIRST, _LONGEST = 0.5, 30.0  # seconds between two looks at a job, at first and at most
# How a job ended that Vertex AI says nothing more about.
_UNSAID = {"JOB_STATE_CANCELLED": "it was cancelled", "JOB_STATE_EXPIRED": "it took longer than it may"}
_UNDER_WAY = ("JOB_STATE_QUEUED", "JOB_STATE_PENDING", "JOB_STATE_RUNNING")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be run: the words of `mlspec step …`, for which step of which forecast, on which machine, in which image."""

    forecast: str
    step: str
    key: str
    machine: str
    image: str
    words: Sequence[str]


def run(clients: Clients, place: Place, wanted: Wanted, done: Callable[[], bool]) -> str | None:
    """Run a step's job to its end, or wait for the one that runs already, and return its name; how it went is in what it wrote.

    None where `done` says that one has ended meanwhile. Raises TargetError.
    """
    if name := _begin(clients, place, wanted, done):
        _wait(clients, name)
    return name


def ended(clients: Clients, name: str) -> Ended:
    """Return why a job ended, as Vertex AI says it, and the filter of its log."""
    from google.api_core.exceptions import NotFound

    log = f'resource.type="ml_job" AND resource.labels.job_id={log_filter(name.rpartition("/")[2])}'
    try:
        found = patiently(
            lambda: clients.custom_jobs.get_custom_job(name=name, retry=None, timeout=TIMEOUT), "look at a job"
        )
    except (NotFound, TargetError):
        return Ended(log)
    return Ended(log + since(found.create_time), found.error.message or _UNSAID.get(found.state.name, ""))


def _begin(clients: Clients, place: Place, wanted: Wanted, done: Callable[[], bool]) -> str | None:
    """Return the job that runs, started where none does. An answer that was lost is found again by the label."""

    def once() -> str | None:
        found = _under_way(clients, wanted.key)
        if found or done():
            return found
        request = {"parent": _parent(clients), "custom_job": _job(place, wanted)}
        return str(clients.custom_jobs.create_custom_job(request=request, retry=None, timeout=TIMEOUT).name)

    return patiently(once, f"start {wanted.step} of {wanted.forecast} on {wanted.machine}")


def _job(place: Place, wanted: Wanted) -> dict[str, Any]:
    account = f"{derived_names(wanted.forecast)['service account of training']}@{place.project}.iam.gserviceaccount.com"
    pool = {
        "machine_spec": {"machine_type": wanted.machine},
        "replica_count": 1,
        "container_spec": {"image_uri": wanted.image, "args": list(wanted.words)},
    }
    return {
        "display_name": f"mlspec-{wanted.forecast}-{wanted.step}",
        "labels": {**OURS, "mlspec-forecast": wanted.forecast, STEP_LABEL: wanted.key[:_KEY]},
        "encryption_spec": {"kms_key_name": place.key},
        "job_spec": {
            "worker_pool_specs": [pool],
            "service_account": account,
            "scheduling": {"timeout": {"seconds": _LONG}},
        },
    }


def _under_way(clients: Clients, key: str) -> str | None:
    """Return the name of a job for this step that has not ended yet."""
    asked = {"parent": _parent(clients), "filter": f'labels.{STEP_LABEL}="{key[:_KEY]}"'}
    found = clients.custom_jobs.list_custom_jobs(request=asked, retry=None, timeout=TIMEOUT)
    return next((str(each.name) for each in found if each.state.name in _UNDER_WAY), None)


def _wait(clients: Clients, name: str) -> None:
    tenacity = tenacity_of_the_extra()
    looks = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda job: job.state.name in _UNDER_WAY),
        wait=tenacity.wait_exponential(multiplier=_FIRST, exp_base=4 / 3, max=_LONGEST),
        stop=tenacity.stop_after_delay(_LONG),
        retry_error_callback=lambda state: state.outcome.result(),
    )
    looks(
        lambda: patiently(
            lambda: clients.custom_jobs.get_custom_job(name=name, retry=None, timeout=TIMEOUT), "look at a job"
        )
    )


def _parent(clients: Clients) -> str:
    return f"projects/{clients.project}/locations/{clients.region}"
