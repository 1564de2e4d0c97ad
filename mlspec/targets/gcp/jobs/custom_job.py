"""Runs a step as a Vertex AI custom job on the machine in the spec, under the forecast's service account.

See https://cloud.google.com/vertex-ai/docs/training/create-custom-job.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.spec.gcp.location import GcpLocation
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.vertex_jobs import VertexJobs, job_labels, service_account
from mlspec.targets.gcp.retry import LONG


@dataclass(frozen=True, slots=True)
class CustomJobRequest:
    """A request for one custom job. `words` are the arguments of `mlspec`, `image` the container image, `key` the step's key."""

    forecast: str
    step: str
    key: str
    machine: str
    image: str
    words: Sequence[str]


def start_job(
    clients: Clients, place: GcpLocation, request: CustomJobRequest, is_done: Callable[[], bool]
) -> str | None:
    """Start a step's job, or find the running one, and return its name. The job's output holds its result.

    Return None if `is_done` says that an earlier job has finished. Raises TargetError.
    """
    what = f"start {request.step} of {request.forecast} on {request.machine}"
    return custom_jobs(clients).start_once(request.key, _job_body(place, request), what, is_done)


def custom_jobs(clients: Clients) -> VertexJobs:
    """Return the custom jobs of the clients' project and region."""
    return VertexJobs(clients, "custom_job")


def _job_body(place: GcpLocation, request: CustomJobRequest) -> dict[str, Any]:
    pool = {
        "machine_spec": {"machine_type": request.machine},
        "replica_count": 1,
        "container_spec": {"image_uri": request.image, "args": list(request.words)},
    }
    return {
        "display_name": f"mlspec-{request.forecast}-{request.step}",
        "labels": job_labels(request.forecast, request.key),
        "encryption_spec": {"kms_key_name": place.key},
        "job_spec": {
            "worker_pool_specs": [pool],
            "service_account": service_account(place, request.forecast),
            "scheduling": {"timeout": {"seconds": LONG}},
        },
    }
