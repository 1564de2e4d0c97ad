"""Finds the recorded forecasts that can be compared with the data of a spec, or with one another."""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.errors import NotFound
from mlspec.plan.retention import EVALUATED_RUNS
from mlspec.plan.serving import forecasts_the_same
from mlspec.state.record import ForecastRun
from mlspec.state.resource import Json
from mlspec.targets.base import Target


def evaluated_runs(target: Target, name: str, spec: Mapping[str, Json]) -> list[ForecastRun]:
    """Return the newest forecasts that are evaluated, newest first: not those of other series, periods or values than `spec` has.

    `spec` is resolved, as JSON. A forecast whose release is not recorded any more counts as one of the same.
    """
    others = {past.version for past in target.load_releases(name) if not forecasts_the_same(past.spec, spec)}
    runs = (run for run in target.load_runs(name) if "forecast" in run.files and run.version not in others)
    return list(runs)[:EVALUATED_RUNS]


def refuse_other_forecasts(target: Target, name: str, before: ForecastRun, after: ForecastRun) -> None:
    """Raise NotFound if two forecasts are not of the same series, periods and values, as far as their releases are recorded."""
    specs = {past.version: past.spec for past in target.load_releases(name)}
    one, other = (specs.get(run.version) for run in (before, after))
    if one is not None and other is not None and not forecasts_the_same(one, other):
        raise NotFound(
            f"the forecasts of {name} by {before.version} and {after.version} are of other series, periods or values",
            hint=f"`mlspec diff {name} R1 R2` says what the spec said of both",
        )
