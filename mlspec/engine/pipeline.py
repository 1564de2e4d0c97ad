"""Runs the steps of one forecast, each once: the result of a step with the same inputs is taken from the store.

A step's key is the digest of everything that can change its result: the keys of the spec that it reads, its input files, its
options, the code and the libraries. So a killed run continues after the last stored step, and the same input gives the same
files. The code is the version of the whole package: after an upgrade a step that is needed runs again, but no step is needed
because of an upgrade.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace

from mlspec.engine.context import Engine
from mlspec.engine.lineage import reported_run
from mlspec.engine.unfinished import keep_unfinished
from mlspec.errors import TargetError
from mlspec.plan.desired import DesiredForecast
from mlspec.spec.digest import resolved_json
from mlspec.state.observed import StoredStep
from mlspec.state.record import FileRef
from mlspec.state.resource import Json, Kind, digest
from mlspec.state.step import (
    KEEPING_STEPS,
    RemoteStep,
    ResultStore,
    StepName,
    StepRequest,
    StepResult,
    has_needed_facts,
)
from mlspec.temporary_folder import temporary_folder

# The kinds of resource whose keys a step reads. The keys of the gate are left out: it judges figures and changes none.
_READS: dict[StepName, tuple[Kind, ...]] = {
    "check": ("data",),
    "backtest": ("model",),
    "train": ("model",),
    "forecast": ("model",),
    "inventory": ("model", "forecast"),
    "evaluate": ("model", "deployment"),
}
# All others read what `check` wrote.
_READS_SOURCES: tuple[StepName, ...] = ("check",)


def run_step(
    engine: Engine,
    desired_forecast: DesiredForecast,
    step: StepName,
    inputs: Mapping[str, FileRef],
    options: Mapping[str, Json],
) -> StoredStep:
    """Return a step's files and facts, from the store if it ran before. Raises what the step raises."""
    key = _step_key(engine, desired_forecast, step, inputs, options)
    filed = engine.target.find_step(desired_forecast.name, step, key)
    if filed is not None and has_needed_facts(step, filed.facts):
        engine.tell(desired_forecast.name, step, 1, 1, "taken from the store")
        return filed
    with ExitStack() as stack:
        out = stack.enter_context(temporary_folder())
        written = stack.enter_context(reported_run(engine, desired_forecast, step, key, inputs))
        if engine.run_remote_step:
            engine.tell(desired_forecast.name, step, 0, 0, "runs where its data is")
            result = engine.run_remote_step(
                RemoteStep(desired_forecast.name, step, key, resolved_json(desired_forecast.spec), inputs, options, out)
            )
        else:
            kept = stack.enter_context(_keep_unfinished(engine, desired_forecast.name, step, key))
            result = _run_locally(
                engine, desired_forecast, StepRequest(step, {}, engine.root, out, {}, options, kept), inputs
            )
        written.extend(result.outputs)
        return engine.target.file_step(
            desired_forecast.name, step=step, key=key, outputs=result.outputs, facts=result.facts, at=engine.clock()
        )


def _keep_unfinished(engine: Engine, name: str, step: StepName, key: str) -> AbstractContextManager[ResultStore | None]:
    """Return a context manager with the place for what a step has made so far; without one for a step that keeps nothing."""
    if step not in KEEPING_STEPS:
        return nullcontext()
    if engine.keep_unfinished:
        return engine.keep_unfinished(name, step, key)
    return keep_unfinished(name, record=f"{engine.target.name} {engine.root}", step=step, key=key)


def is_step_stored(
    engine: Engine,
    desired_forecast: DesiredForecast,
    step: StepName,
    inputs: Mapping[str, FileRef],
    options: Mapping[str, Json],
) -> bool:
    """Return whether `run_step` would take the result from the store."""
    key = _step_key(engine, desired_forecast, step, inputs, options)
    return engine.target.find_step(desired_forecast.name, step, key) is not None


def _run_locally(
    engine: Engine,
    desired_forecast: DesiredForecast,
    bare: StepRequest,
    inputs: Mapping[str, FileRef],
) -> StepResult:
    """Fetch everything that a step reads, and run it in this process. `bare` is its request without them."""
    with temporary_folder() as source_folder:
        spec, root = desired_forecast.spec, engine.root
        if bare.step in _READS_SOURCES:
            spec, root = engine.target.fetch_source(spec, root, source_folder)
        files = {role: engine.target.fetch_file(desired_forecast.name, ref) for role, ref in inputs.items()}
        request = replace(bare, spec=resolved_json(spec), root=root, inputs=files)
        return _call_step(engine, desired_forecast.name, request)


def _call_step(engine: Engine, name: str, request: StepRequest) -> StepResult:
    """Run one step. Raises TargetError with a hint if a file cannot be read or written."""
    try:
        return engine.steps(request, lambda done, total, text: engine.tell(name, request.step, done, total, text))
    except OSError as error:
        raise TargetError(
            f"{name}: {request.step} cannot use a file: {error}",
            hint=f"steps write to {tempfile.gettempdir()} first: free some space there, or set TMPDIR to another folder",
        ) from error


def _reads_model_code(desired_forecast: DesiredForecast, step: StepName) -> bool:
    """Return whether a step runs code of the project; a forecast's model file has its code inside."""
    return step in ("backtest", "train") and bool(desired_forecast.model_code)


def _read_metric_code(desired_forecast: DesiredForecast, step: StepName) -> Mapping[str, str]:
    """Return the digests of the metrics of packages that a step measures."""
    if step == "evaluate":
        return dict(desired_forecast.metric_code)
    return desired_forecast.judging_code if step == "backtest" else {}


def _step_key(
    engine: Engine,
    desired_forecast: DesiredForecast,
    step: StepName,
    inputs: Mapping[str, FileRef],
    options: Mapping[str, Json],
) -> str:
    keys = {key: value for kind in _READS[step] for key, value in desired_forecast.spec_fields(kind).items()}
    read = {key: value for key, value in keys.items() if not key.startswith("model.gate")}
    return digest(
        {
            "step": step,
            "spec": read,
            "source": desired_forecast.source.digest,
            "inputs": {role: ref.sha256 for role, ref in inputs.items()},
            # The result of a check is valid for a day: the age of the data depends on the present moment.
            "options": {key: str(value)[:10] if key == "now" else value for key, value in options.items()},
            "code": [engine.code, engine.mlspec],
            "libraries": dict(engine.libraries),
            **({"model_code": dict(desired_forecast.model_code)} if _reads_model_code(desired_forecast, step) else {}),
            **({"metric_code": metric_code} if (metric_code := _read_metric_code(desired_forecast, step)) else {}),
        }
    )
