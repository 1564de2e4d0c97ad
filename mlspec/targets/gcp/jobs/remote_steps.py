"""Starts a step as an execution of the forecast's Cloud Run job, or as a Vertex AI custom job, and later downloads its output.

Either runs `mlspec step NAME --spec gs://… --in ROLE=gs://… --out gs://…` under an account that can neither record nor deploy. The
output is stored under the step's key, so a later pass finds it. A running execution is found by its output address, also if the
pass that started it was killed before it could record the execution's name. Nothing waits here: while a step runs, WorkUnderWay is
raised. If batch prediction jobs make the forecast, the step runs twice: before them it writes their instances, and after them it
writes the forecast from the answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mlspec import errors
from mlspec.errors import MlspecError, TargetError, WorkUnderWay
from mlspec.spec.gcp.location import GcpLocation
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.spec.stored import read_stored_spec
from mlspec.state.ledger import StartedWork, WorkKind
from mlspec.state.resource import digest
from mlspec.state.step import INSTANCES, PREDICTIONS, RemoteStep, StepResult, panel_parts
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs import batch_prediction, custom_job, failure_log
from mlspec.targets.gcp.jobs.cloud_run import JobExecutions
from mlspec.targets.gcp.jobs.failure_log import JobEnd
from mlspec.targets.gcp.jobs.vertex_jobs import VertexJobs
from mlspec.targets.gcp.record.bucket import NEW, Bucket, WriteConflict
from mlspec.targets.gcp.record.snapshots import FOLDER
from mlspec.targets.gcp.retry import LONG

RESULT = "result.json"
_KEY = re.compile("[0-9a-f]{64}")
_ANSWERS = "predictions"  # the output folder of a batch prediction job
_HEAVY = ("backtest", "train")
# The errors that a step writes as its result; any other error is a failure of the job.
_STEP_ERRORS = (
    errors.DataError,
    errors.ModelError,
    errors.BrokenModel,
    errors.BrokenMetric,
    errors.SpecError,
    errors.UsageError,
)
_KINDS = {kind.__name__: kind for kind in _STEP_ERRORS}


class RemoteSteps:
    """The jobs of one target's forecasts."""

    def __init__(
        self,
        clients: Clients,
        state: Bucket,
        models: Bucket,
        place: GcpLocation,
        image: Callable[[], str],
        find_started: Callable[[str], StartedWork | None],
    ) -> None:
        self._clients, self._state, self._models, self._place, self._image = clients, state, models, place, image
        self._find_started = find_started

    def run_step(self, step: RemoteStep) -> StepResult:
        """Return the result of a step that has run. Raises WorkUnderWay while it runs, the step's error, or TargetError."""
        folder = f"{steps_folder(step.forecast)}{step.key}"
        machine = batch_prediction.batch_machine(step)
        if machine and not self._is_done(folder):
            return self._run_by_batch(step, folder, machine)
        return self._run_once(step, folder, self._input_addresses(step, *step.inputs))

    def _run_by_batch(self, step: RemoteStep, folder: str, machine: str) -> StepResult:
        """Forecast by a batch prediction job for each version, between two executions of the step."""
        instances_folder = f"{folder}/{INSTANCES}"
        options = {INSTANCES: "all", "traffic": step.options["traffic"]}
        written = self._run_once(
            replace(step, options=options), instances_folder, self._input_addresses(step, "series")
        )
        jobs = batch_prediction.BatchPredictions(self._clients, self._place, self._state)
        objects: list[str] = []
        for role, path in sorted(written.outputs.items()):
            version = role.removeprefix(f"{INSTANCES}-")
            request = batch_prediction.BatchRequest(
                step.forecast,
                version,
                digest([step.key, version]),
                machine,
                self._state.address_of(f"{instances_folder}/{path.name}"),
                self._state.address_of(f"{folder}/{_ANSWERS}/{version}"),
            )
            objects += jobs.run_job(request, self._find_started(request.key))
        answers = {f"{PREDICTIONS}{number:05}": self._state.address_of(name) for number, name in enumerate(objects)}
        return self._run_once(step, folder, {**self._input_addresses(step, *_roles_beside_answers(step)), **answers})

    def _run_once(self, step: RemoteStep, folder: str, inputs: Mapping[str, str]) -> StepResult:
        """Return a step's result, or start it and raise WorkUnderWay. `inputs` are the addresses of its inputs by role."""
        if self._is_done(folder):
            return self._read_result(step, folder, None)
        if known := self._find_started(self._state.address_of(folder)):
            return self._read_result(step, folder, self._known_end(step, known))
        self._start_once(step, folder, inputs)
        return self._read_result(step, folder, None)

    def _is_done(self, folder: str) -> bool:
        return self._state.find_object(f"{folder}/{RESULT}") is not None

    def _input_addresses(self, step: RemoteStep, *roles: str) -> dict[str, str]:
        """Return the addresses of the step's input files with these roles."""
        files_address = self._models.address_of(f"{step.forecast}/sha256")
        return {role: f"{files_address}/{step.inputs[role].sha256}" for role in roles}

    def _known_end(self, step: RemoteStep, known: StartedWork) -> Callable[[], JobEnd]:
        """Return a function that describes the end of what was started for a step. Raises WorkUnderWay while that runs."""
        jobs = self._custom_jobs if known.kind == "custom-job" else self._executions(step)
        if not jobs.is_over(known.name):
            raise _under_way(step, known.kind, known.name, known.mark)
        return partial(jobs.describe_end, known.name)

    def _start_once(self, step: RemoteStep, folder: str, inputs: Mapping[str, str]) -> None:
        """Start the step's execution, or find the running one, and raise WorkUnderWay; return if it has ended meanwhile."""
        self._write_json(f"{folder}/spec.json", dict(step.spec))
        folder_address, machine = self._state.address_of(folder), read_stored_spec(step.spec).training.machine
        arguments = self._step_arguments(step, folder_address, inputs)
        kind: WorkKind = "custom-job" if machine and step.step in _HEAVY else "execution"
        if machine and kind == "custom-job":
            request = custom_job.CustomJobRequest(step.forecast, step.step, step.key, machine, self._image(), arguments)
            name = custom_job.start_job(self._clients, self._place, request, lambda: self._is_done(folder))
        else:
            name = self._executions(step).start_once(arguments, folder_address, lambda: self._is_done(folder))
        if name:
            raise _under_way(step, kind, name, folder_address)

    @property
    def _custom_jobs(self) -> VertexJobs:
        return custom_job.custom_jobs(self._clients)

    def _executions(self, step: RemoteStep) -> JobExecutions:
        return JobExecutions(self._clients, derived_names(step.forecast)["Cloud Run job"])

    def _step_arguments(self, step: RemoteStep, folder_address: str, inputs: Mapping[str, str]) -> list[str]:
        """Return the job's arguments. `folder_address` contains the step's key, so no other step writes there."""
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
        """Return an execution's result. Raises the error that it wrote."""
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
        """Remove a failed step's error and its batch prediction answers, so that the next run retries both."""
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
            return  # an earlier attempt wrote the same: the name contains its digest


def steps_folder(forecast: str) -> str:
    """Return the folder in the state bucket that has a folder for the result of each step, by its key."""
    return f"{FOLDER}{forecast}/steps/"


def find_step_key(name: str, forecast: str) -> str | None:
    """Return the key of the step whose result belongs in a folder of the state bucket; None for any other folder."""
    key = name.removeprefix(steps_folder(forecast))
    return key if key != name and _KEY.fullmatch(key) else None


def error_to_json(error: MlspecError) -> dict[str, Any]:
    """Return an error as the JSON result of a remote step."""
    return {"error": {"kind": type(error).__name__, "message": error.message, "hint": error.hint}}


def _under_way(step: RemoteStep, kind: WorkKind, name: str, mark: str) -> WorkUnderWay:
    return WorkUnderWay(kind=kind, name=name, mark=mark, what=step.step, limit=LONG)


def _roles_beside_answers(step: RemoteStep) -> list[str]:
    """Return the inputs that the step reads beside the predictions of jobs: of a hierarchy all but the models, for its errors."""
    if read_stored_spec(step.spec).dataset.hierarchy is None:
        return [*panel_parts(step.inputs), "series"]
    return [role for role in step.inputs if not role.startswith("model")]
