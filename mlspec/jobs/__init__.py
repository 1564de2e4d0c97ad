"""The pipeline's steps, as a process or a container runs them; they measure and record, they never deploy.

Importing this package costs nothing: a step's module, and with it pandas and the models, is imported when the step runs.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from mlspec.errors import MissingExtra
from mlspec.state.predicted import Predictions
from mlspec.state.step import Progress, StepName, StepRequest, StepResult

# step: its module in this package, which has one function `run`.
STEPS: dict[StepName, str] = {
    "check": "check",
    "backtest": "backtest",
    "train": "train",
    "forecast": "forecast",
    "inventory": "inventory",
    "evaluate": "evaluate",
}


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Run one step. Raises DataError or ModelError for the reader, MissingExtra where the models are not installed."""
    equipped()
    from mlspec.jobs.quiet import alone

    module: Any = importlib.import_module(f"{__name__}.{STEPS[request.step]}")
    with alone():
        result: StepResult = module.run(request, progress)
    return result


def predict(request: StepRequest) -> Predictions:
    """Return what one version predicts for every series, for a server. Raises as `run` does."""
    equipped()
    from mlspec.jobs import predictor
    from mlspec.jobs.quiet import alone

    with alone():
        return predictor.run(request)


def equipped() -> None:
    """Raise MissingExtra where the models are not installed."""
    for needed in ("pandas", "pyarrow", "sklearn", "statsforecast", "mlforecast"):
        if importlib.util.find_spec(needed) is None:
            raise MissingExtra(needed, "forecast")
