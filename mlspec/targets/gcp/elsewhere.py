"""Runs a step as an execution of the forecast's own job on Cloud Run, or as a custom job, and takes back what it wrote.

Either runs `mlspec step NAME --spec gs://… --in ROLE=gs://… --out gs://…`: files in, files out, under an account that can neither
record nor deploy. What an execution wrote is kept under the step's key, so a loop that was killed while it waited finds it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlspec import errors
from mlspec.errors import MlspecError, TargetError
from mlspec.spec.names import derived_names
from mlspec.spec.place import Place
from mlspec.state.step import FarStep, StepResult
from mlspec.targets.gcp import custom
from mlspec.targets.gcp.calls import TIMEOUT, patiently
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.images import FOLDER
from mlspec.targets.gcp.storage import NEW, Bucket, Moved

RESULT = "result.json"
_HEAVY = ("backtest", "train")
_LONG = 6 * 3600.0  # seconds: as long as the rendered job may take
# What a step raises for a person; all else is the job's own failure.
_KINDS = {kind.__name__: kind for kind in (errors.DataError, errors.ModelError, errors.SpecError, errors.UsageError)}


class Elsewhere:
    """The jobs of one target's forecasts."""

    def __init__(
        self, clients: Clients, state: Bucket, models: Bucket, place: Place, image: Callable[[], str]
    ) -> None:
        self._clients, self._state, self._models, self._place, self._image = clients, state, models, place, image

    def run(self, step: FarStep) -> StepResult:
        """Run a step, or take what an earlier execution of the same wrote. Raises what the step raised, or TargetError."""
        folder = f"{FOLDER}{step.forecast}/steps/{step.key}"
        if self._state.look(f"{folder}/{RESULT}") is None:
            self._put(f"{folder}/spec.json", dict(step.spec))
            self._run(step, self._words(step, folder))
        return self._taken(step, folder)

    def _run(self, step: FarStep, words: list[str]) -> None:
        """Run the job that fits the step: where the spec names a machine, what is heavy has it to itself."""
        machine = step.spec["training"]["machine"]
        if machine and step.step in _HEAVY:
            wanted = custom.Wanted(step.forecast, step.step, step.key, machine, self._image(), words)
            custom.run(self._clients, self._place, wanted)
        else:
            _wait(start(self._clients, derived_names(step.forecast)["Cloud Run job"], words))

    def _words(self, step: FarStep, folder: str) -> list[str]:
        """Return the words that the job is started with."""
        place = f"gs://{self._state.name}/{folder}"
        words = ["step", step.step, "--target", self._place.target, "--spec", f"{place}/spec.json", "--out", place]
        for role, ref in sorted(step.inputs.items()):
            words += ["--in", f"{role}=gs://{self._models.name}/{step.forecast}/sha256/{ref.sha256}"]
        for name, value in sorted(step.options.items()):
            if value is not None:
                words += [
                    "--option",
                    f"{name}={value if isinstance(value, str) else json.dumps(value, sort_keys=True)}",
                ]
        return words

    def _taken(self, step: FarStep, folder: str) -> StepResult:
        """Return what an execution wrote. Raises what it raised."""
        found = self._state.read(f"{folder}/{RESULT}")
        if found is None:
            raise TargetError(
                f"{step.forecast}: {step.step} ended without a result",
                hint=f"look at the log of the job's last execution: {folder}",
            )
        value: Mapping[str, Any] = json.loads(found[0])
        if wrong := value.get("error"):
            self._state.delete(f"{folder}/{RESULT}")  # what failed is tried anew
            kind = _KINDS.get(wrong["kind"], TargetError)
            raise kind(wrong["message"], hint=wrong["hint"])
        outputs = {role: self._fetched(f"{folder}/{name}", step.out / name) for role, name in value["outputs"].items()}
        return StepResult(outputs, value["facts"])

    def _fetched(self, name: str, place: Path) -> Path:
        self._state.download(name, place)
        return place

    def _put(self, name: str, value: Mapping[str, Any]) -> None:
        try:
            self._state.write(name, json.dumps(value, sort_keys=True).encode(), NEW)
        except Moved:
            return  # the same, from an earlier attempt: the name is the digest of it


def start(clients: Clients, job: str, words: Sequence[str]) -> Any:
    """Start a job with these words, and return the operation. Raises TargetError where there is no such job.

    A start whose answer was lost may be made twice: whatever the jobs run finds out what was done, and does nothing twice.
    """
    from google.api_core.exceptions import NotFound

    name = f"projects/{clients.project}/locations/{clients.region}/jobs/{job}"
    request = {"name": name, "overrides": {"container_overrides": [{"args": list(words)}]}}
    try:
        return patiently(
            lambda: clients.jobs.run_job(request=request, retry=None, timeout=TIMEOUT), f"start the job {job}"
        )
    except NotFound:
        raise TargetError(
            f"there is no job {name}", hint="`mlspec apply` makes a forecast's own, infra/ the loop's"
        ) from None


def _wait(operation: Any) -> None:
    """Wait for an execution; one that failed is told by what it wrote, or did not."""
    from google.api_core.exceptions import GoogleAPICallError

    try:
        operation.result(timeout=_LONG, retry=None)
    except (GoogleAPICallError, TimeoutError):
        return


def error_of(error: MlspecError) -> dict[str, Any]:
    """Return an error as a step that runs elsewhere hands it back."""
    return {"error": {"kind": type(error).__name__, "message": error.message, "hint": error.hint}}
