"""Has the forecast's own server forecast every series: a batch prediction job of Vertex AI, on the machine that the spec names.

One replica: each makes all forecasts when it starts, to answer some (docs/decisions/0017). What the job wrote is used as long as it
is there, so a loop that was killed after the job ended starts no second one
(https://cloud.google.com/vertex-ai/docs/predictions/get-batch-predictions).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.errors import TargetError
from mlspec.spec.place import Place
from mlspec.state.step import FarStep
from mlspec.targets.gcp import said
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.registry import DEFAULT, Registry
from mlspec.targets.gcp.said import Ended
from mlspec.targets.gcp.storage import Bucket, Stored
from mlspec.targets.gcp.vertex import WELL, Jobs, account, labels

logger = logging.getLogger(__name__)
_FORMAT = "jsonl"
# How the files of a job are called: a container's, and as the API's reference has them.
_PREDICTIONS = ("prediction.results-", "predictions_")
_ERRORS = ("prediction.errors_stats-", "errors_")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which step's forecast is wanted, on which machine; where the instances are and the answers are to be, as gs:// addresses."""

    forecast: str
    key: str
    machine: str
    instances: str
    answers: str


def machine_of(step: FarStep) -> str | None:
    """Return the machine on which a job makes a step's forecast, None where the step makes it itself.

    A server answers by the traffic of now, from the newest data: no shadow of a version without a share, no earlier cutoff.
    """
    traffic = step.options.get("traffic")
    if step.step != "forecast" or not traffic or not all(traffic.values()) or step.options.get("cutoffs"):
        return None
    found: str | None = step.spec["deployment"]["batch_machine"]
    return found


class Batch:
    """The batch prediction jobs of one target's forecasts, whose files are in `state`."""

    def __init__(self, clients: Clients, place: Place, state: Bucket) -> None:
        self._clients, self._place, self._state = clients, place, state
        self._jobs = Jobs(clients, "batch_prediction_job")

    def run(self, wanted: Wanted) -> Sequence[str]:
        """Return the objects of a job's predictions: of one that ended well, or runs already, or is started now.

        Raises TargetError, with what Vertex AI says and where its log is, where an instance was not predicted.
        """
        kept: Sequence[str] = ()

        def done() -> bool:
            nonlocal kept
            kept = next((found for job in self._jobs.of(wanted.key) if (found := self._predictions(job))), ())
            return bool(kept)

        what = f"start the batch prediction job of {wanted.forecast} on {wanted.machine}"
        name = self._jobs.begin(wanted.key, self._job(wanted), what, done)
        if name is None:
            return kept
        logger.info("the batch prediction job %s runs", name)
        job = self._jobs.wait(name)
        found = self._predictions(job)
        if not found:
            raise said.without_result(self._clients, "the batch prediction job", self._why(job))
        return found

    def _predictions(self, job: Any) -> Sequence[str]:
        """Return the objects that hold the predictions of a job that ended well; none where a single instance failed."""
        if job.state.name != WELL or job.completion_stats.failed_count or self._errors(job):
            return ()
        return [each.name for each in self._written(job, _PREDICTIONS)]

    def _errors(self, job: Any) -> Sequence[str]:
        """Return the objects that say which instances failed, and why; there is an empty one where none did."""
        return [each.name for each in self._written(job, _ERRORS) if each.size]

    def _written(self, job: Any, names: tuple[str, ...]) -> Iterator[Stored]:
        folder = job.output_info.gcs_output_directory.removeprefix(f"gs://{self._state.name}/").rstrip("/")
        found = self._state.list(f"{folder}/") if folder else ()
        return (each for each in found if each.name.removeprefix(f"{folder}/").startswith(names))

    def _why(self, job: Any) -> Ended:
        """Return why a job has no predictions that can be used."""
        ended, failed = self._jobs.ended(job.name), job.completion_stats.failed_count
        told = [found[0].decode(errors="replace") for name in self._errors(job) if (found := self._state.read(name))]
        if ended.reason or (job.state.name != WELL and not told):
            return ended
        reason = told[0].partition("\n")[0] if told else "it wrote no predictions"
        return Ended(ended.log, f"{failed:,} instances failed: {reason}" if failed else reason)

    def _job(self, wanted: Wanted) -> dict[str, Any]:
        machine = {
            "machine_spec": {"machine_type": wanted.machine},
            "starting_replica_count": 1,
            "max_replica_count": 1,
        }
        return {
            "display_name": f"mlspec-{wanted.forecast}-forecast",
            "labels": labels(wanted.forecast, wanted.key),
            "model": self._model(wanted.forecast),
            "input_config": {"instances_format": _FORMAT, "gcs_source": {"uris": [wanted.instances]}},
            "output_config": {"predictions_format": _FORMAT, "gcs_destination": {"output_uri_prefix": wanted.answers}},
            "dedicated_resources": machine,
            "service_account": account(self._place, wanted.forecast),
            "encryption_spec": {"kms_key_name": self._place.key},
        }

    def _model(self, forecast: str) -> str:
        """Return the registered version that carries the forecast: any of them answers by the record."""
        found = Registry(self._clients).version(forecast, DEFAULT)
        if found is None:
            raise TargetError(
                f"no version of {forecast} is in the model registry",
                hint="run `mlspec apply`: it registers what serves",
            )
        return found
