"""One batch prediction: the model's container is really run, asked as Vertex AI asks it, and what it answers is written down.

Files and their lines: https://cloud.google.com/vertex-ai/docs/predictions/get-batch-predictions; what is set for a container:
https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements. An instance whose request fails is tried thrice.
"""

from __future__ import annotations

import json
import signal
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.commands import Run
from tests.gcp.standin.refused import Refused, invalid
from tests.gcp.standin.services.storage.objects import Store
from tests.gcp.standin.services.vertex_artifacts import let_read, storage_uri
from tests.gcp.standin.services.vertex_predict import HOST, posted
from tests.waiting import free_port

BATCH = 64  # instances a request, where the job does not say
_TRIES = 3
_PAUSE = 0.1  # seconds between two looks at a container's health
_PATIENCE = 300.0  # seconds until it has to be healthy


def check(job: Any) -> None:
    """Raise Refused where a job lacks what a model in a container needs."""
    if job.input_config.instances_format != "jsonl" or not job.input_config.gcs_source.uris:
        raise invalid("the stand-in reads instances from Cloud Storage, with the instances_format jsonl.")
    if job.output_config.predictions_format != "jsonl" or not job.output_config.gcs_destination.output_uri_prefix:
        raise invalid("the stand-in writes predictions to Cloud Storage, with the predictions_format jsonl.")
    if not job.dedicated_resources.machine_spec.machine_type:
        raise invalid("dedicated_resources.machine_spec.machine_type is required for a model in a container.")
    if job.dedicated_resources.max_replica_count < job.dedicated_resources.starting_replica_count:
        raise invalid("max_replica_count must not be below starting_replica_count.")


@dataclass
class Prediction:
    """A job at work, in a thread of its own. `error` says why it failed as a whole, `failed` what went wrong with how many."""

    cloud: Cloud
    job: Any
    model: Any
    error: str = ""
    failed: list[tuple[str, int]] = field(default_factory=list)
    predicted: int = 0
    folder: str = ""

    def __post_init__(self) -> None:
        self._port = free_port()
        spec = self.model.container_spec
        told = {
            "AIP_HTTP_PORT": str(self._port), "AIP_STORAGE_URI": storage_uri(self.model),
            "AIP_PREDICT_ROUTE": spec.predict_route, "AIP_HEALTH_ROUTE": spec.health_route,
        }  # fmt: skip
        env = {each.name: each.value for each in spec.env}
        let_read(self.cloud, self.model, self.job.service_account)
        self.run: Run = self.cloud.commands.start(spec.image_uri, spec.args, {**env, **told}, self.job.service_account)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return not self._thread.is_alive()

    def kill(self) -> None:
        """End its container: then it fails."""
        self.run.kill()

    def _work(self) -> None:
        try:
            instances = self._instances()
            self._wait_for_health()
            self._write(list(self._answers(instances)))
            if instances and not self.predicted:
                self.error = f"All {len(instances)} predictions failed: {self.failed[0][0]}"
        except Refused as refused:
            self.error = refused.message
        except Exception as error:  # noqa: BLE001  (a thread that breaks is no job that went well)
            self.error = f"Internal error encountered: {type(error).__name__}: {error}"
        finally:
            self.run.end(signal.SIGTERM)

    def _instances(self) -> list[Any]:
        found: list[Any] = []
        with self.cloud.lock:
            for uri in self.job.input_config.gcs_source.uris:
                data = self._store.object(*_split(uri)).data
                found += [json.loads(line) for line in data.decode().splitlines() if line.strip()]
        return found

    def _wait_for_health(self) -> None:
        route, moment = self.model.container_spec.health_route, threading.Event()
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(int(_PATIENCE / _PAUSE)):
            if self.run.done:
                raise Refused("INTERNAL", f"Model server terminated: model server container {_how(self.run)}.")
            try:
                probe = urllib.request.Request(f"http://127.0.0.1:{self._port}{route}", headers={"Host": HOST})
                with direct.open(probe, timeout=10):
                    return
            except OSError:
                moment.wait(_PAUSE)
        raise Refused(
            "DEADLINE_EXCEEDED", "Model server never became ready. Please validate that the container is healthy."
        )

    def _answers(self, instances: list[Any]) -> Iterator[list[str]]:
        """Yield the lines of one request's answers after the other; what fails is counted."""
        size = self.job.manual_batch_tuning_parameters.batch_size or BATCH
        for start in range(0, len(instances), size):
            asked = instances[start : start + size]
            try:
                predictions = self._ask(asked)
            except Refused as wrong:
                self.failed.append((wrong.message, len(asked)))
                continue
            self.predicted += len(asked)
            pairs = zip(asked, predictions, strict=True)
            yield [json.dumps({"instance": instance, "prediction": prediction}) for instance, prediction in pairs]

    def _ask(self, instances: list[Any]) -> list[Any]:
        url = f"http://127.0.0.1:{self._port}{self.model.container_spec.predict_route}"
        for left in reversed(range(_TRIES)):
            try:
                found: list[Any] = json.loads(posted(url, json.dumps({"instances": instances}).encode()))["predictions"]
            except Refused as wrong:
                if not left:
                    said = f"Post request fails. Cannot get predictions. Error: Exceeded retries: {wrong.message}"
                    raise Refused("INTERNAL", said) from None
            else:
                return found
        raise AssertionError

    def _write(self, answers: list[list[str]]) -> None:
        """Write a file for each request's answers, and one of what went wrong, empty where nothing did."""
        at = self.job.create_time.ToDatetime().isoformat(timespec="milliseconds")
        prefix = self.job.output_config.gcs_destination.output_uri_prefix.rstrip("/")
        self.folder = f"{prefix}/prediction-{self.model.display_name}-{at}Z"
        files = {
            f"prediction.results-{number:05}-of-{len(answers):05}": lines for number, lines in enumerate(answers)
        } | {"prediction.errors_stats-00000-of-00001": [repr(each) for each in self.failed]}
        with self.cloud.lock:
            for name, lines in files.items():
                bucket, place = _split(f"{self.folder}/{name}")
                self._store.write(
                    self._store.bucket(bucket), place, "".join(f"{line}\n" for line in lines).encode(), {}
                )

    @property
    def _store(self) -> Store:
        found: Store = self.cloud.service(Store)
        return found


def _how(run: Run) -> str:
    return "ran out of memory" if run.killed else f"exited with code {run.exit_code}"


def _split(uri: str) -> tuple[str, str]:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name
