"""The steps of the pipeline. A step runs in a process or a container, reads and writes files, and never records or deploys.

Importing this package is fast: a step's module, with pandas and the model libraries, is imported only when the step runs.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import multiprocessing
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

from mlspec import memory
from mlspec.errors import Defect, LostProcess, MissingExtra, MlspecError, TargetError
from mlspec.log_context import forecast_scope
from mlspec.state.assumptions import AssumedForecasts, Assumptions
from mlspec.state.overview import ForecastOverview
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
# What a prediction imports: loaded once in the process that others are forked from, as the libraries of models need seconds.
_FOR_ANY_MODEL = ("mlspec.jobs.predictor",)
_FOR_STATISTICS = ("statsforecast.models",)
_FOR_TREES = ("mlforecast", "sklearn.ensemble", "lightgbm")
# kind: what its candidates import. A kind that is not here is one of statistics; one of the project's own has processes of its own.
_FOR_KIND: dict[str, tuple[str, ...]] = {
    "seasonal-naive": (), "custom": (), "ensemble": (), "gradient-boosting": _FOR_TREES,
}  # fmt: skip
WHAT_IF_SECONDS = 40.0  # a request is answered within a minute


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Run one step. Raises DataError or ModelError for the user, MissingExtra if the model libraries are not installed.

    Raises TargetError if this machine has too little memory.
    """
    require_models()
    from mlspec.jobs.memory_bound import bounded_memory
    from mlspec.jobs.runtime import single_threaded

    module: Any = importlib.import_module(f"{__name__}.{STEPS[request.step]}")
    with forecast_scope(_name_of(request), request.step):
        logger.info("%s started", request.step)
        began = time.monotonic()
        try:
            with single_threaded(), bounded_memory(starts_others=_uses_cluster(request)):
                result: StepResult = module.run(request, progress)
        except MemoryError as error:
            raise _memory_error(request.step) from error
        seconds = round(time.monotonic() - began, 1)
        logger.info("%s finished after %.1f s", request.step, seconds, extra={"seconds": seconds})
    return result


def _name_of(request: StepRequest) -> str:
    """Return the forecast's name for the log; empty if the spec has none, which the step itself reports."""
    metadata = request.spec.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _uses_cluster(request: StepRequest) -> bool:
    training = request.spec.get("training")
    return isinstance(training, dict) and training.get("engine") is not None


def _memory_error(step: StepName) -> TargetError:
    """Return the error for used-up memory. The features of a panel, which backtest and train build, need most memory."""
    hint = memory.HINT
    if step in ("backtest", "train"):
        hint = (
            "use several workers (training: {engine: ray, workers: 8}), list fewer candidates under model.candidates, "
            f"or {memory.HINT} (on Google Cloud: training.machine)"
        )
    what = f"there is not enough memory for {step}: a step may use {memory.step_memory()}, less what other programs use"
    return TargetError(what, hint=hint)


def predict(request: StepRequest) -> Predictions:
    """Return one version's predictions for every series, in this process. Raises the errors of `run`.

    Like a step it forks, which a process with several threads must not do: a server calls `predict_apart`.
    """
    require_models()
    from mlspec.jobs import predictor
    from mlspec.jobs.runtime import single_threaded

    with single_threaded():
        return predictor.run(request)


def forecast_what_if(request: StepRequest, assumed: Assumptions) -> Any:
    """Return what a forecast would be with another plan (`what_if.WhatIf`). Raises the errors of `run`."""
    require_models()
    from mlspec.jobs import what_if
    from mlspec.jobs.runtime import single_threaded

    with single_threaded():
        return what_if.run(request, assumed)


def forecast_what_if_apart(request: StepRequest, assumed: Assumptions) -> AssumedForecasts:
    """Return the same as plain values, as `predict_apart` does. Raises TargetError if it takes longer than WHAT_IF_SECONDS."""
    work = partial(_plain_what_if, assumed=assumed)
    found: AssumedForecasts = _run_apart(work, request, "the what-if", WHAT_IF_SECONDS)
    return found


def _plain_what_if(request: StepRequest, assumed: Assumptions) -> AssumedForecasts:
    from mlspec.jobs.what_if import plain_columns

    found = forecast_what_if(request, assumed)
    return AssumedForecasts(plain_columns(found.before), plain_columns(found.after), found.cutoff, found.notes)


def measure_importance(request: StepRequest, progress: Progress) -> Any:
    """Return what each covariate is worth to a candidate (`importance.Importances`). Raises the errors of `run`."""
    require_models()
    from mlspec.jobs import importance
    from mlspec.jobs.runtime import single_threaded

    with single_threaded():
        return importance.run(request, progress)


def measure_overview(request: StepRequest) -> ForecastOverview:
    """Return how a forecast is doing, in this process. Raises the errors of `run`."""
    require_models()
    from mlspec.jobs import overview
    from mlspec.jobs.runtime import single_threaded

    with single_threaded():
        return overview.make_overview(request)


def measure_overview_apart(request: StepRequest) -> ForecastOverview:
    """Return `measure_overview(request)`, as `predict_apart` does."""
    measured: ForecastOverview = _run_apart(measure_overview, request, "the overview")
    return measured


def predict_apart(request: StepRequest) -> Predictions:
    """Return `predict(request)`, computed in a process of its own, which gives its memory back. Raises the errors of `run`, and
    LostProcess if that process ended without an answer.

    The process is a fork of one that has the libraries ready, and a single thread. That one takes some seconds to start, once, with
    what the first request needs; what a later one needs beyond that is imported in its own process.
    """
    predictions: Predictions = _run_apart(predict, request, "the predictions")
    return predictions


def _run_apart(
    work: Callable[[StepRequest], Any], request: StepRequest, what: str, seconds: float | None = None
) -> Any:
    """Return the result of work in a process of its own. `what` names the result in an error.

    After `seconds` the process is killed. None: it may take as long as it does.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(libraries_to_preload(request.spec))
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_result, args=(work, request, sender), daemon=True)
    process.start()
    sender.close()
    try:
        if not receiver.poll(seconds):
            process.kill()
            process.join()
            raise TargetError(
                f"{what} took longer than {seconds:g} s", hint="ask by the command line, which has no such limit"
            )
        answer = receiver.recv()
    except EOFError:
        process.join()
        raise LostProcess(
            f"the process that computed {what} ended with {process.exitcode}",
            hint="-9 usually means that memory ran out: serve fewer forecasts, or use a machine with more memory",
        ) from None
    finally:
        receiver.close()
    process.join()
    if isinstance(answer, Exception):
        raise answer
    return answer


def libraries_to_preload(spec: Mapping[str, Any]) -> list[str]:
    """Return the modules that predictions of a spec's models import. A spec that does not list its candidates may have trees."""
    model = spec.get("model")
    candidates = model.get("candidates") if isinstance(model, Mapping) else None
    if not isinstance(candidates, list):
        return [*_FOR_ANY_MODEL, *_FOR_STATISTICS, *_FOR_TREES]
    needed = (_FOR_KIND.get(str(candidate.get("kind")), _FOR_STATISTICS) for candidate in candidates)
    return list(dict.fromkeys((*_FOR_ANY_MODEL, *chain.from_iterable(needed))))


def _send_result(work: Callable[[StepRequest], Any], request: StepRequest, sender: Any) -> None:
    """Do the work and send its result, or the error; nothing where who asked was killed."""
    with suppress(BrokenPipeError):
        try:
            sender.send(work(request))
        except MlspecError as error:
            sender.send(error)
        except Exception as error:  # noqa: BLE001  (the server says it, and answers for the other versions)
            sender.send(Defect(f"{type(error).__name__}: {error}"))


def require_models() -> None:
    """Raise MissingExtra if the model libraries are not installed."""
    for needed in ("pandas", "pyarrow", "sklearn", "statsforecast", "mlforecast"):
        if importlib.util.find_spec(needed) is None:
            raise MissingExtra(needed, "forecast")
