"""What the errors of a forecast are measured on: the checked data, the forecasts that served, and the champion's backtest."""

from __future__ import annotations

from pathlib import Path

from mlspec.engine.comparable_runs import evaluated_runs
from mlspec.engine.effects import recorded_file
from mlspec.engine.rows import newest_run
from mlspec.engine.serving_record import load_serving
from mlspec.errors import StateError
from mlspec.state.step import StepRequest
from mlspec.targets.base import Target


def error_request(target: Target, name: str, now: str, root: Path) -> StepRequest:
    """Return the request of the step `evaluate` for what is recorded, with the champion's backtest among its inputs.

    Nothing is run or recorded. Raises StateError if there is no forecast, or if nothing serves.
    """
    newest_run(target, name)
    served = load_serving(target, name)
    runs = evaluated_runs(target, name, served.release.spec)
    if not runs:
        raise StateError(
            f"{name} has no forecast yet of the series, periods and values that its spec names now",
            hint="run `mlspec apply`",
        )
    files = {f"forecast-{number}": run.files["forecast"] for number, run in enumerate(runs, 1)}
    options = {
        "now": now,
        "quarantined": sorted(served.observed.ledger.quarantined_versions),
        "candidate": served.version.candidate,
    }
    backtest = recorded_file(served.version, "backtest")
    return served.step_request(target, "evaluate", root, {**files, "backtest": backtest}, options)
