"""What drives a forecast: what is recorded of the version that serves is measured again, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlspec.engine.effects import recorded_fact, recorded_file
from mlspec.engine.rows import PlainRows
from mlspec.engine.serving_record import load_serving
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
    served = load_serving(target, name)
    files = {"incumbent": recorded_file(served.version, "model")}
    candidate = recorded_fact(served.version, "champion_candidate")
    request = served.step_request(target, "backtest", root, files, {"candidate": candidate})
    found = measure(request, progress)
    return Drivers(served.version.version, served.version.candidate, found.metrics[MAIN.name], _as_rows(found))


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
