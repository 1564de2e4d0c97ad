"""What drives a forecast: what is recorded of the version that serves is measured again, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlspec.engine.effects import checked_files, recorded_fact
from mlspec.engine.error_request import serving_release
from mlspec.engine.rows import PlainRows
from mlspec.errors import StateError
from mlspec.plan.select import known_name
from mlspec.plan.serving import stable_version
from mlspec.spec.metrics import MAIN, metrics_of_kind
from mlspec.state.step import Progress, StepRequest
from mlspec.targets.base import Target

Measure = Callable[[StepRequest, Progress], Any]  # jobs.measure_importance


@dataclass(frozen=True, slots=True)
class Drivers:
    """The version that serves, its candidate, the main metric at the cutoffs of its backtest, and a row for each covariate.

    The covariate that is worth most comes first.
    """

    version: str
    candidate: str
    metric: float | None
    rows: PlainRows


def find_drivers(target: Target, name: str, root: Path, measure: Measure, progress: Progress) -> Drivers:
    """Measure what each covariate is worth to what serves, on the newest data. Raises StateError if nothing serves."""
    name = known_name(name, target.forecast_names())
    observed = target.observe_forecast(name)
    release, version = serving_release(target, name, stable_version(observed))
    if release is None or version is None or "data" not in observed.resources:
        raise StateError(f"nothing of {name} serves", hint="`mlspec status` says why; `mlspec apply` makes a forecast")
    refs = {**checked_files(observed.resources["data"].files), "incumbent": version.files["model"]}
    request = StepRequest(
        step="backtest",
        spec=release.spec,
        root=root,
        out=root,
        inputs={role: target.fetch_file(name, ref) for role, ref in refs.items()},
        options={"candidate": recorded_fact(version, "champion_candidate")},
    )
    found = measure(request, progress)
    return Drivers(version.version, version.candidate, found.metrics[MAIN.name], _as_rows(found))


def _as_rows(found: Any) -> PlainRows:
    """Return covariate, kind and, for each metric, its value in the backtest and once the covariate tells nothing."""
    names = [metric.name for metric in metrics_of_kind("accuracy") if not metric.quantiles]
    ordered = sorted(found.covariates, key=lambda each: -(each.metrics[MAIN.name] or 0.0))
    columns = ["covariate", "kind", *(f"{side}{name}" for name in names for side in ("", "without_"))]
    values = [
        [each.covariate, each.kind, *(side[name] for name in names for side in (found.metrics, each.metrics))]
        for each in ordered
    ]
    return PlainRows(columns, values)
