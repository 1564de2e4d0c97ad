"""Runs a step as a custom job of Vertex AI, on the machine that the spec names, under the forecast's own account.

See https://cloud.google.com/vertex-ai/docs/training/create-custom-job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.spec.place import Place
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.said import Ended
from mlspec.targets.gcp.vertex import LONG, Jobs, account, labels

logger = logging.getLogger(__name__)


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
    jobs = _jobs(clients)
    what = f"start {wanted.step} of {wanted.forecast} on {wanted.machine}"
    if name := jobs.begin(wanted.key, _job(place, wanted), what, done):
        logger.info("%s runs as %s on %s", wanted.step, name, wanted.machine)
        jobs.wait(name)
    return name


def ended(clients: Clients, name: str) -> Ended:
    """Return why a job ended, as Vertex AI says it, and the filter of its log."""
    return _jobs(clients).ended(name)


def _jobs(clients: Clients) -> Jobs:
    return Jobs(clients, "custom_job")


def _job(place: Place, wanted: Wanted) -> dict[str, Any]:
    pool = {
        "machine_spec": {"machine_type": wanted.machine},
        "replica_count": 1,
        "container_spec": {"image_uri": wanted.image, "args": list(wanted.words)},
    }
    return {
        "display_name": f"mlspec-{wanted.forecast}-{wanted.step}",
        "labels": labels(wanted.forecast, wanted.key),
        "encryption_spec": {"kms_key_name": place.key},
        "job_spec": {
            "worker_pool_specs": [pool],
            "service_account": account(place, wanted.forecast),
            "scheduling": {"timeout": {"seconds": LONG}},
        },
    }
