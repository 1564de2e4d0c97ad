"""The steps of the pipeline. A step runs in a process or a container, reads and writes files, and never records or deploys.

Importing this package is fast: a step's module, with pandas and the model libraries, is imported only when the step runs.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import time
from typing import Any

from mlspec.errors import MissingExtra, TargetError
from mlspec.log_context import forecast_scope
from mlspec.state.predicted import Predictions
from mlspec.state.step import Progress, StepName, StepRequest, StepResult

logger = logging.getLogger(__name__)
# step: its module in this package, which has a function `run`.
STEPS: dict[StepName, str] = {
    "check": "check",
    "backtest": "backtest",
    "train": "train",
    "forecast": "forecast",
    "inventory": "inventory",
    "evaluate": "evaluate",
}


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Run one step. Raises DataError or ModelError for the user, MissingExtra if the model libraries are not installed.

    Raises TargetError if this machine has too little memory.
    """
    require_models()
    from mlspec.jobs.runtime import single_threaded

    module: Any = importlib.import_module(f"{__name__}.{STEPS[request.step]}")
    with forecast_scope(_name_of(request), request.step):
        logger.info("%s started", request.step)
        began = time.monotonic()
        try:
            with single_threaded():
                result: StepResult = module.run(request, progress)
        except MemoryError as error:
            raise TargetError(
                f"there is not enough memory for {request.step}", hint=_memory_hint(request.step)
            ) from error
        seconds = round(time.monotonic() - began, 1)
        logger.info("%s finished after %.1f s", request.step, seconds, extra={"seconds": seconds})
    return result


def _name_of(request: StepRequest) -> str:
    """Return the forecast's name for the log; empty if the spec has none, which the step itself reports."""
    metadata = request.spec.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _memory_hint(step: StepName) -> str:
    """Return the hint for an out-of-memory error. The features of a panel, which backtest and train build, need most memory."""
    if step not in ("backtest", "train"):
        return "run it on a machine with more memory"
    return (
        "use several workers (training: {engine: ray, workers: 8}), run it on a machine with more memory "
        "(on Google Cloud: training.machine), or list fewer candidates under model.candidates"
    )


def predict(request: StepRequest) -> Predictions:
    """Return one version's predictions for every series, for a server. Raises the errors of `run`."""
    require_models()
    from mlspec.jobs import predictor
    from mlspec.jobs.runtime import single_threaded

    with single_threaded():
        return predictor.run(request)


def require_models() -> None:
    """Raise MissingExtra if the model libraries are not installed."""
    for needed in ("pandas", "pyarrow", "sklearn", "statsforecast", "mlforecast"):
        if importlib.util.find_spec(needed) is None:
            raise MissingExtra(needed, "forecast")
