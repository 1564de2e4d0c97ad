"""What drives the champion of a backtest: the importance of each covariate, measured at the cutoffs of the backtest."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mlspec.errors import UsageError
from mlspec.forecast import candidates as families
from mlspec.forecast.frame import ID
from mlspec.forecast.importance import Importances, measure_importances
from mlspec.forecast.windows import backtest_windows
from mlspec.jobs.context import active_series, read_spec, require_option, segment_columns
from mlspec.jobs.model_code import locate_chosen
from mlspec.jobs.parted_panel import open_panel
from mlspec.jobs.process_workers import processors_of_this_machine
from mlspec.spec.faults import did_you_mean
from mlspec.spec.forecast import Forecast
from mlspec.state.step import Progress, StepRequest


@dataclass(frozen=True)
class MeasuredDrivers:
    """The importances, on how many series they were measured, and how many series there are."""

    importances: list[Importances]
    measured_series: int
    all_series: int


def run(request: StepRequest, progress: Progress) -> MeasuredDrivers:
    """Measure: of a panel in several parts, on the series of one part.

    The request is that of the step `backtest`, with the option `candidate`, and the input `incumbent`: its model file.

    With the option `by`, a series or static column: one of each of its values. Raises UsageError if there is no such column, and
    BrokenModel if the candidate has a model of the project's own whose code is not here.
    """
    spec = read_spec(request)
    parts = open_panel(request, spec)
    panel = parts.part_readers()[0]()
    candidate = families.from_json(require_option(request.options, "candidate", "backtest"))
    chosen = locate_chosen(candidate, spec, request.root, request.inputs)
    cuts = backtest_windows(parts, spec.model.backtest).cutoffs
    segments = _segments(request, spec, request.options.get("by"))
    workers = processors_of_this_machine()
    found = measure_importances(panel, cuts, chosen, spec.model.seed, workers, progress, segments)
    return MeasuredDrivers(found, panel.frame[ID].nunique(), len(active_series(request)))


def _segments(request: StepRequest, spec: Forecast, by: str | None) -> pd.Series | None:
    """Return the value of a column by series, as text; None for no column."""
    if by is None:
        return None
    columns = segment_columns(request, spec)
    if by not in columns:
        raise UsageError(
            f"'{by}' is no series column and no static covariate of {spec.metadata.name}",
            hint=did_you_mean(by, list(columns)),
        )
    return columns[by].astype(str)
