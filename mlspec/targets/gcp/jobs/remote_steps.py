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
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.spec.stored import read_stored_spec
from mlspec.state.step import INSTANCES, PREDICTIONS, RemoteStep, StepResult
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs import batch_prediction, custom_job, failure_log
from mlspec.targets.gcp.jobs.cloud_run import JobExecutions
from mlspec.targets.gcp.jobs.failure_log import JobEnd
from mlspec.targets.gcp.record.bucket import NEW, Bucket, WriteConflict
from mlspec.targets.gcp.record.snapshots import FOLDER
from mlspec.targets.gcp.retry import LONG

logger = logging.getLogger(__name__)
RESULT = "result.json"
_ANSWERS = "predictions"  # the folder of what a batch prediction job writes
_HEAVY = ("backtest", "train")
# What a step raises for a person; all else is the job's own failure.
_KINDS = {kind.__name__: kind for kind in (errors.DataError, errors.ModelError, errors.SpecError, errors.UsageError)}


class RemoteSteps:
    """The jobs of one target's forecasts."""

    def __init__(
        self, clients: Clients, state: Bucket, models: Bucket, place: GcpLocation, image: Callable[[], str]
    ) -> None:
        self._clients, self._state, self._models, self._place, self._image = clients, state, models, place, image

    def run_step(self, step: RemoteStep) -> StepResult:
        """Run a step, or take what an earlier execution of the same wrote. Raises what the step raised, or TargetError."""
        folder = f"{FOLDER}{step.forecast}/steps/{step.key}"
        machine = batch_prediction.batch_machine(step)
        if machine and not self._is_done(folder):
            return self._run_by_batch(step, folder, machine)
        return self._run_once(step, folder, self._input_addresses(step, *step.inputs))

    def _run_by_batch(self, step: RemoteStep, folder: str, machine: str) -> StepResult:
        """Let a batch prediction job make the forecast, between two executions of the step."""
        instances_folder = f"{folder}/{INSTANCES}"
        self._run_once(
            replace(step, options={INSTANCES: "all"}), instances_folder, self._input_addresses(step, "series")
        )
        request = batch_prediction.BatchRequest(
            step.forecast,
            step.key,
            machine,
            self._state.address_of(f"{instances_folder}/instances.jsonl"),
            self._state.address_of(f"{folder}/{_ANSWERS}"),
        )
        objects = batch_prediction.BatchPredictions(self._clients, self._place, self._state).run_job(request)
        answers = {f"{PREDICTIONS}{number:05}": self._state.address_of(name) for number, name in enumerate(objects)}
        return self._run_once(step, folder, {**self._input_addresses(step, "panel", "series"), **answers})

    def _run_once(self, step: RemoteStep, folder: str, inputs: Mapping[str, str]) -> StepResult:
        """Run a step whose inputs are at these addresses, by role, if it was not run before; return what it wrote."""
        ended = None
        if not self._is_done(folder):
            self._write_json(f"{folder}/spec.json", dict(step.spec))
            ended = self._start_and_wait(step, folder, inputs)
        return self._read_result(step, folder, ended)

    def _is_done(self, folder: str) -> bool:
        return self._state.find_object(f"{folder}/{RESULT}") is not None

    def _input_addresses(self, step: RemoteStep, *roles: str) -> dict[str, str]:
        """Return where the step's files of these roles are."""
        files_address = self._models.address_of(f"{step.forecast}/sha256")
        return {role: f"{files_address}/{step.inputs[role].sha256}" for role in roles}

    def _start_and_wait(self, step: RemoteStep, folder: str, inputs: Mapping[str, str]) -> Callable[[], JobEnd] | None:
        """Wait for the step's execution, begun where none runs; return what asks how it ended.

        One that failed is told by what it wrote, or did not.
        """
        folder_address, machine = self._state.address_of(folder), read_stored_spec(step.spec).training.machine
        arguments = self._step_arguments(step, folder_address, inputs)
        if machine and step.step in _HEAVY:
            request = custom_job.CustomJobRequest(step.forecast, step.step, step.key, machine, self._image(), arguments)
            job = custom_job.run_job(self._clients, self._place, request, lambda: self._is_done(folder))
            return partial(custom_job.describe_end, self._clients, job) if job else None
        executions = JobExecutions(self._clients, derived_names(step.forecast)["Cloud Run job"])
        execution = executions.start_once(arguments, folder_address, lambda: self._is_done(folder))
        if execution:
            logger.info("%s runs as %s", step.step, execution)
        if execution and not executions.wait_until_done(execution):
            raise TargetError(
                f"{step.step} still runs after {LONG / 3600:.0f} hours",
                hint=f"look at the log of {execution}, or cancel it: then it is started anew",
            )
        return partial(executions.describe_end, execution) if execution else None

    def _step_arguments(self, step: RemoteStep, folder_address: str, inputs: Mapping[str, str]) -> list[str]:
        """Return the words that the job is started with. `place` holds the step's key: no other step writes there."""
        arguments = [
            "step",
            step.step,
            "--target",
            self._place.target,
            "--spec",
            f"{folder_address}/spec.json",
            "--out",
            folder_address,
        ]
        for role, address in sorted(inputs.items()):
            arguments += ["--in", f"{role}={address}"]
        for name, value in sorted(step.options.items()):
            if value is not None:
                arguments += [
                    "--option",
                    f"{name}={value if isinstance(value, str) else json.dumps(value, sort_keys=True)}",
                ]
        return arguments

    def _read_result(self, step: RemoteStep, folder: str, ended: Callable[[], JobEnd] | None) -> StepResult:
        """Return what an execution wrote. Raises what it raised."""
        content = self._state.read_object(f"{folder}/{RESULT}")
        if content is None:
            if ended:
                raise failure_log.missing_result_error(self._clients, step.step, ended())
            raise TargetError(
                f"{step.step} ended without a result", hint=f"look at the log of the job's last execution: {folder}"
            )
        value: Mapping[str, Any] = json.loads(content[0])
        if error := value.get("error"):
            self._remove_result(folder)
            kind = _KINDS.get(error["kind"], TargetError)
            raise kind(error["message"], hint=error["hint"])
        outputs = {
            role: self._download_file(f"{folder}/{name}", step.out / name) for role, name in value["outputs"].items()
        }
        return StepResult(outputs, value["facts"])

    def _remove_result(self, folder: str) -> None:
        """Remove what a step failed with, and the answers that it was given: it is tried anew, and its batch prediction job too."""
        for stored in self._state.list_objects(f"{folder}/{_ANSWERS}/"):
            self._state.delete_object(stored.name)
        self._state.delete_object(f"{folder}/{RESULT}")

    def _download_file(self, name: str, destination: Path) -> Path:
        self._state.download_file(name, destination)
        return destination

    def _write_json(self, name: str, value: Mapping[str, Any]) -> None:
        try:
            self._state.write_object(name, json.dumps(value, sort_keys=True).encode(), NEW)
        except WriteConflict:
            return  # the same, from an earlier attempt: the name is the digest of it


def error_to_json(error: MlspecError) -> dict[str, Any]:
    """Return an error as a step that runs elsewhere hands it back."""
    return {"error": {"kind": type(error).__name__, "message": error.message, "hint": error.hint}}
