"""What the errors of a forecast are measured on: the checked data, the forecasts that served, and the champion's backtest."""

from __future__ import annotations

from pathlib import Path

from mlspec.engine.effects import checked_files
from mlspec.engine.rows import newest_run
from mlspec.errors import StateError
from mlspec.plan.retention import EVALUATED_RUNS
from mlspec.plan.serving import stable_version
from mlspec.state.record import Release, Version
from mlspec.state.step import StepRequest
from mlspec.targets.base import Target


def error_request(target: Target, name: str, now: str, root: Path) -> StepRequest:
    """Return the request of the step `evaluate` for what is recorded, with the champion's backtest among its inputs.

    Nothing is run or recorded. Raises StateError if there is no forecast, or if it is destroyed.
    """
    newest_run(target, name)
    observed = target.observe_forecast(name)
    release, version = serving_release(target, name, stable_version(observed))
    if release is None or version is None or "data" not in observed.resources:
        raise StateError(f"{name} is destroyed, so there is nothing to measure", hint="run `mlspec apply`")
    refs = {**checked_files(observed.resources["data"].files), "backtest": version.files["backtest"]}
    runs = [run for run in target.load_runs(name) if "forecast" in run.files][:EVALUATED_RUNS]
    refs |= {f"forecast-{number}": run.files["forecast"] for number, run in enumerate(runs, 1)}
    return StepRequest(
        step="evaluate",
        spec=release.spec,
        root=root,
        out=root,
        inputs={role: target.fetch_file(name, ref) for role, ref in refs.items()},
        options={
            "now": now,
            "quarantined": sorted(observed.ledger.quarantined_versions),
            "candidate": version.candidate,
        },
    )


def serving_release(target: Target, name: str, serves: str | None) -> tuple[Release | None, Version | None]:
    """Return the newest release of the version that serves, and its record."""
    release = next((one for one in target.load_releases(name) if one.version == serves), None)
    version = next((one for one in target.load_versions(name) if one.version == serves), None)
    return release, version
