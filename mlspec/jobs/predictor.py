"""What a server answers from: a version's forecast of every series, by the code of the step `forecast`, taken out of frames."""

from __future__ import annotations

from array import array

import numpy as np
import pandas as pd

from mlspec.errors import ModelError
from mlspec.forecast.quantiles import column
from mlspec.jobs import forecast
from mlspec.jobs.context import own_names, panel_of, spec_of
from mlspec.spec.forecast import Forecast
from mlspec.state.predicted import Predictions
from mlspec.state.step import StepRequest


def run(request: StepRequest) -> Predictions:
    """Predict from the panel's cutoff with the inputs `model` and `backtest`. Raises ModelError where a series has no number."""
    spec = spec_of(request)
    panel, names = panel_of(request, spec), own_names(request, spec)
    rows = forecast.by(request, spec, panel, names, "", alone=True)
    freq = panel.layout.frequency
    times = freq.after(panel.cutoff, panel.layout.horizon)
    return Predictions(
        cutoff=freq.text(panel.cutoff),
        until=f"{freq.end(panel.cutoff).isoformat(timespec='seconds')}Z",
        time=spec.dataset.time,
        times=tuple(freq.text(time) for time in times),
        places={str(key): place for place, key in enumerate(rows.index.unique().sort_values())},
        columns=_columns(spec, rows, len(times)),
    )


def _columns(spec: Forecast, rows: pd.DataFrame, horizon: int) -> dict[str, array[float]]:
    """Return mean and quantiles as plain arrays, in the order of series and time."""
    ordered = rows.sort_values(spec.dataset.time, kind="stable").sort_index(kind="stable")
    values = ordered[["mean", *(column(q) for q in spec.model.quantiles)]].astype("float64")
    if len(ordered) != rows.index.nunique() * horizon or not np.isfinite(values.to_numpy()).all():
        raise ModelError(
            "a series has no forecast over the whole horizon", hint="train another version: `mlspec apply`"
        )
    return {str(name): array("d", values[name].to_numpy().tobytes()) for name in values}
