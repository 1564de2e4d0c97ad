"""Runs a step in a container on Google Cloud: inputs and outputs are in buckets, as are the facts or the error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from mlspec import __version__
from mlspec.cli.escape import printable
from mlspec.cli.messages import report
from mlspec.cli.project import find_root, open_specs
from mlspec.engine.context import model_libraries
from mlspec.engine.target_kinds import open_target
from mlspec.errors import Exit, MlspecError, SpecError, StateError, UsageError
from mlspec.forecast.code_version import CODE_VERSION
from mlspec.log_context import forecast_scope
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.spec.stored import read_stored_spec
from mlspec.state.resource import digest
from mlspec.state.step import KEEPING_STEPS, ResultStore, StepName, StepRequest
from mlspec.targets.base import ContainerRuntime
from mlspec.temporary_folder import temporary_folder


def run_in_container(
    name: StepName, *, spec: str, target: str, inputs: Mapping[str, str], options: Mapping[str, Any], out: str
) -> Exit:
    """Run one step on files in buckets. An error of the step is written below `out` too, for the process that waits."""
    from mlspec import jobs

    root = find_root()
    opened_target = open_target(open_specs((), target).project, root, target)
    containers = opened_target.containers
    if containers is None:
        raise UsageError(f"target '{target}' is not on Google Cloud", hint="name one that is with --target")
    with temporary_folder() as folder:
        folders = {part: _make_folder(folder, part) for part in ("spec", "in", "sources", "out")}
        value = _load_resolved(containers.download_input(spec, folders["spec"]), spec)
        with (
            forecast_scope(value.metadata.name, name),
            _keep_unfinished(containers, value.metadata.name, name, out) as kept,
        ):
            try:
                files = {
                    role: containers.download_input(address, _make_folder(folder, f"in/{role}"))
                    for role, address in inputs.items()
                }
                local_spec, base = (
                    opened_target.fetch_source(value, root, folders["sources"]) if name == "check" else (value, root)
                )
                request = StepRequest(name, resolved_json(local_spec), base, folders["out"], files, options, kept)
                result = jobs.run(request, lambda _done, _total, text: report(printable(text)))
            except MlspecError as error:
                containers.upload_error(out, error)
                raise
            outputs = {role: path.name for role, path in result.outputs.items()}
            containers.upload_outputs(out, result.outputs, {"facts": dict(result.facts), "outputs": outputs})
    return Exit.DONE


def _keep_unfinished(
    containers: ContainerRuntime, forecast: str, step: StepName, out: str
) -> AbstractContextManager[ResultStore | None]:
    """Return a context manager with the place for what a step has made so far. The loop names the step's key by `out`.

    The key knows the code and the libraries of the loop. Those of this container may change from one attempt to the next.
    """
    key = containers.find_step_key(out, forecast) if step in KEEPING_STEPS else None
    if key is None:
        return nullcontext()
    return containers.keep_unfinished(forecast, step, digest([key, CODE_VERSION, __version__, model_libraries()]))


def _load_resolved(file: Path, address: str) -> Forecast:
    hint = "give the `spec` of one forecast in the output of `mlspec show --output json`"
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(value, dict):
            return read_stored_spec(value, "it")
    except (ValueError, StateError) as error:
        problem = error.message if isinstance(error, StateError) else "it is not JSON"
        raise SpecError(f"'{address}' is not a resolved spec: {problem}", hint=hint) from error
    raise SpecError(f"'{address}' is not a resolved spec", hint=hint)


def _make_folder(folder: Path, part: str) -> Path:
    path = folder / part
    path.mkdir(parents=True, exist_ok=True)
    return path
