"""What drives a forecast: what is recorded of the version that serves is measured again, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
SIDES = ("", "without_")  # a metric in the backtest, and once the covariate tells nothing


@dataclass(frozen=True, slots=True)
class Drivers:
    """The version that serves, its candidate, and a row for each covariate; the covariate that is worth most comes first.

    `metric` is the main metric at the cutoffs of its backtest; None where there is a row for each covariate and segment.
    `measured_series` of `all_series` were measured: those of one part of a large panel.
    """

    version: str
    candidate: str
    metric: float | None
    rows: PlainRows
    measured_series: int
    all_series: int

    def note(self) -> str | None:
        """Return a sentence on the series that were not measured; None if all were."""
        if self.measured_series == self.all_series:
            return None
        return f"measured on {self.measured_series:,} of {self.all_series:,} series, those of one part of the panel"


def find_drivers(
    target: Target, name: str, root: Path, measure: Measure, progress: Progress, by: str | None = None
) -> Drivers:
    """Measure what each covariate is worth to what serves, on the newest data; by the values of a column, if one is named.

    Raises StateError if nothing serves, and UsageError if no series has such a column.
    """
    served = load_serving(target, name)
    files = {"incumbent": recorded_file(served.version, "model")}
    candidate = recorded_fact(served.version, "champion_candidate")
    request = served.step_request(target, "backtest", root, files, {"candidate": candidate, "by": by})
    measured = measure(request, progress)
    found = measured.importances
    return Drivers(
        served.version.version, served.version.candidate, None if by else found[0].metrics[MAIN.name], _as_rows(found, by),
        measured.measured_series, measured.all_series,
    )  # fmt: skip


def _as_rows(measured: Sequence[Any], by: str | None) -> PlainRows:
    """Return covariate, kind and, for each metric, its value in the backtest and once the covariate tells nothing.

    The column `by`, if there is one, comes first; the segment with the largest error comes first.
    """
    names = [metric.name for metric in metrics_of_kind("accuracy") if not metric.quantiles]
    columns = [*([by] if by else []), "covariate", "kind", *(f"{side}{name}" for name in names for side in SIDES)]
    values = [
        [
            *([segment.segment] if by else []), covariate.covariate, covariate.kind,
            *(side[name] for name in names for side in (segment.metrics, covariate.metrics)),
        ]
        for segment in sorted(measured, key=_main_error, reverse=True)
        for covariate in sorted(segment.covariates, key=_main_error, reverse=True)
    ]  # fmt: skip
    return PlainRows(columns, values)


def _main_error(scored: Any) -> float:
    return float(scored.metrics[MAIN.name] or 0.0)
