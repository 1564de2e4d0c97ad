"""Runs a step as an execution of the forecast's own job on Cloud Run, or as a custom job, and takes back what it wrote.

Either runs `mlspec step NAME --spec gs://… --in ROLE=gs://… --out gs://…`: files in, files out, under an account that can neither
record nor deploy. What an execution wrote is kept under the step's key, so a loop that was killed while it waited finds it;
one that still runs is found by where it writes. Where a batch prediction job makes the forecast, the step writes what it is asked
first, and what it answered afterwards.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mlspec import errors
from mlspec.errors import MlspecError, TargetError
from mlspec.spec.names import derived_names
from mlspec.spec.place import Place
from mlspec.state.step import INSTANCES, PREDICTIONS, FarStep, StepResult
from mlspec.targets.gcp import batch, custom, said
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.executions import LONG, Executions
from mlspec.targets.gcp.images import FOLDER
from mlspec.targets.gcp.said import Ended
from mlspec.targets.gcp.storage import NEW, Bucket, Moved

logger = logging.getLogger(__name__)
RESULT = "result.json"
_ANSWERS = "predictions"  # the folder of what a batch prediction job writes
_HEAVY = ("backtest", "train")
# What a step raises for a person; all else is the job's own failure.
_KINDS = {kind.__name__: kind for kind in (errors.DataError, errors.ModelError, errors.SpecError, errors.UsageError)}


class Elsewhere:
    """The jobs of one target's forecasts."""

    def __init__(self, clients: Clients, state: Bucket, models: Bucket, place: Place, image: Callable[[], str]) -> None:
        self._clients, self._state, self._models, self._place, self._image = clients, state, models, place, image

    def run(self, step: FarStep) -> StepResult:
        """Run a step, or take what an earlier execution of the same wrote. Raises what the step raised, or TargetError."""
        folder = f"{FOLDER}{step.forecast}/steps/{step.key}"
        machine = batch.machine_of(step)
        if machine and not self._done(folder):
            return self._by_batch(step, folder, machine)
        return self._whole(step, folder, self._inputs(step, *step.inputs))

    def _by_batch(self, step: FarStep, folder: str, machine: str) -> StepResult:
        """Let a batch prediction job make the forecast, between two executions of the step."""
        asked = f"{folder}/{INSTANCES}"
        self._whole(replace(step, options={INSTANCES: "all"}), asked, self._inputs(step, "series"))
        wanted = batch.Wanted(
            step.forecast, step.key, machine, self._at(f"{asked}/instances.jsonl"), self._at(f"{folder}/{_ANSWERS}")
        )
        found = batch.Batch(self._clients, self._place, self._state).run(wanted)
        answers = {f"{PREDICTIONS}{place:05}": self._at(name) for place, name in enumerate(found)}
        return self._whole(step, folder, {**self._inputs(step, "panel", "series"), **answers})

    def _whole(self, step: FarStep, folder: str, inputs: Mapping[str, str]) -> StepResult:
        """Run a step whose inputs are at these addresses, by role, if it was not run before; return what it wrote."""
        ended = None
        if not self._done(folder):
            self._put(f"{folder}/spec.json", dict(step.spec))
            ended = self._run(step, folder, inputs)
        return self._taken(step, folder, ended)

    def _done(self, folder: str) -> bool:
        return self._state.look(f"{folder}/{RESULT}") is not None

    def _inputs(self, step: FarStep, *roles: str) -> dict[str, str]:
        """Return where the step's files of these roles are."""
        kept = f"gs://{self._models.name}/{step.forecast}/sha256"
        return {role: f"{kept}/{step.inputs[role].sha256}" for role in roles}

    def _run(self, step: FarStep, folder: str, inputs: Mapping[str, str]) -> Callable[[], Ended] | None:
        """Wait for the step's execution, begun where none runs; return what asks how it ended.

        One that failed is told by what it wrote, or did not.
        """
        place, machine = self._at(folder), step.spec["training"]["machine"]
        words = self._words(step, place, inputs)
        if machine and step.step in _HEAVY:
            wanted = custom.Wanted(step.forecast, step.step, step.key, machine, self._image(), words)
            job = custom.run(self._clients, self._place, wanted, lambda: self._done(folder))
            return partial(custom.ended, self._clients, job) if job else None
        executions = Executions(self._clients, derived_names(step.forecast)["Cloud Run job"])
        found = executions.begin(words, place, lambda: self._done(folder))
        if found:
            logger.info("%s runs as %s", step.step, found)
        if found and not executions.wait(found):
            raise TargetError(
                f"{step.step} still runs after {LONG / 3600:.0f} hours",
                hint=f"look at the log of {found}, or cancel it: then it is started anew",
            )
        return partial(executions.ended, found) if found else None

    def _at(self, name: str) -> str:
        return f"gs://{self._state.name}/{name}"

    def _words(self, step: FarStep, place: str, inputs: Mapping[str, str]) -> list[str]:
        """Return the words that the job is started with. `place` holds the step's key: no other step writes there."""
        words = ["step", step.step, "--target", self._place.target, "--spec", f"{place}/spec.json", "--out", place]
        for role, address in sorted(inputs.items()):
            words += ["--in", f"{role}={address}"]
        for name, value in sorted(step.options.items()):
            if value is not None:
                words += [
                    "--option",
                    f"{name}={value if isinstance(value, str) else json.dumps(value, sort_keys=True)}",
                ]
        return words

    def _taken(self, step: FarStep, folder: str, ended: Callable[[], Ended] | None) -> StepResult:
        """Return what an execution wrote. Raises what it raised."""
        found = self._state.read(f"{folder}/{RESULT}")
        if found is None:
            if ended:
                raise said.without_result(self._clients, step.step, ended())
            raise TargetError(
                f"{step.step} ended without a result", hint=f"look at the log of the job's last execution: {folder}"
            )
        value: Mapping[str, Any] = json.loads(found[0])
        if wrong := value.get("error"):
            self._forget(folder)
            kind = _KINDS.get(wrong["kind"], TargetError)
            raise kind(wrong["message"], hint=wrong["hint"])
        outputs = {role: self._fetched(f"{folder}/{name}", step.out / name) for role, name in value["outputs"].items()}
        return StepResult(outputs, value["facts"])

    def _forget(self, folder: str) -> None:
        """Remove what a step failed with, and the answers that it was given: it is tried anew, and its batch prediction job too."""
        for each in self._state.list(f"{folder}/{_ANSWERS}/"):
            self._state.delete(each.name)
        self._state.delete(f"{folder}/{RESULT}")

    def _fetched(self, name: str, place: Path) -> Path:
        self._state.download(name, place)
        return place

    def _put(self, name: str, value: Mapping[str, Any]) -> None:
        try:
            self._state.write(name, json.dumps(value, sort_keys=True).encode(), NEW)
        except Moved:
            return  # the same, from an earlier attempt: the name is the digest of it


def error_of(error: MlspecError) -> dict[str, Any]:
    """Return an error as a step that runs elsewhere hands it back."""
    return {"error": {"kind": type(error).__name__, "message": error.message, "hint": error.hint}}
