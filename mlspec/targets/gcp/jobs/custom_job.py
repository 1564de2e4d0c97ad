"""Runs a step as a custom job of Vertex AI, on the machine that the spec names, under the forecast's own account.

See https://cloud.google.com/vertex-ai/docs/training/create-custom-job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.spec.gcp.location import GcpLocation
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.failure_log import JobEnd
from mlspec.targets.gcp.jobs.vertex_jobs import VertexJobs, job_labels, service_account
from mlspec.targets.gcp.retry import LONG

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CustomJobRequest:
    """What is to be run: the words of `mlspec step …`, for which step of which forecast, on which machine, in which image."""

    forecast: str
    step: str
    key: str
    machine: str
    image: str
    words: Sequence[str]


def run_job(clients: Clients, place: GcpLocation, request: CustomJobRequest, is_done: Callable[[], bool]) -> str | None:
    """Run a step's job to its end, or wait for the one that runs already, and return its name; how it went is in what it wrote.

    None where `done` says that one has ended meanwhile. Raises TargetError.
    """
    jobs = _custom_jobs(clients)
    what = f"start {request.step} of {request.forecast} on {request.machine}"
    if name := jobs.start_once(request.key, _job_body(place, request), what, is_done):
        logger.info("%s runs as %s on %s", request.step, name, request.machine)
        jobs.wait_until_done(name)
    return name


def describe_end(clients: Clients, name: str) -> JobEnd:
    """Return why a job ended, as Vertex AI says it, and the filter of its log."""
    return _custom_jobs(clients).describe_end(name)


def _custom_jobs(clients: Clients) -> VertexJobs:
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
