"""Computes a server's predictions: a version's forecast of every series, by the code of the step `forecast`, as plain arrays."""

from __future__ import annotations

from array import array

import numpy as np
import pandas as pd

from mlspec.errors import ModelError
from mlspec.forecast.quantiles import quantile_column
from mlspec.forecast.zones import in_utc
from mlspec.jobs import forecast
from mlspec.jobs.context import forecast_names, read_spec
from mlspec.jobs.parted_panel import open_panel
from mlspec.spec.forecast import Forecast
from mlspec.spec.output_columns import METHOD
from mlspec.state.predicted import Predictions
from mlspec.state.step import StepRequest


def run(request: StepRequest) -> Predictions:
    """Predict from the panel's cutoff with the inputs `model` and `backtest`. Raises ModelError if a value is missing."""
    spec = read_spec(request)
    panel, names = open_panel(request, spec), forecast_names(request, spec)
    rows = forecast.forecast_version(request, spec, panel, names, "", alone=True).whole()
    freq, zone = panel.layout.frequency, spec.dataset.timezone
    times = freq.periods_after(panel.cutoff, panel.layout.horizon)
    return Predictions(
        cutoff=freq.format_period(panel.cutoff, zone),
        until=f"{in_utc(freq.period_end(panel.cutoff), zone).isoformat(timespec='seconds')}Z",
        time=spec.dataset.time,
        times=tuple(freq.format_period(time, zone) for time in times),
        positions={str(key): position for position, key in enumerate(rows.index.unique().sort_values())},
        columns=_value_arrays(spec, rows, len(times)),
        methods=_methods(rows),
    )


def _methods(rows: pd.DataFrame) -> dict[str, str]:
    """Return by which method each series is forecast; empty if the spec's forecast does not say it."""
    return {} if METHOD not in rows else {str(key): str(method) for key, method in rows[METHOD].items()}


def _value_arrays(spec: Forecast, rows: pd.DataFrame, horizon: int) -> dict[str, array[float]]:
    """Return mean and quantiles as plain arrays, sorted by series and time."""
    ordered = rows.sort_values(spec.dataset.time, kind="stable").sort_index(kind="stable")
    values = ordered[["mean", *(quantile_column(q) for q in spec.model.quantiles)]].astype("float64")
    if len(ordered) != rows.index.nunique() * horizon or not np.isfinite(values.to_numpy()).all():
        raise ModelError(
            "a series has no forecast over the whole horizon", hint="train another version: `mlspec apply`"
        )
    return {str(name): array("d", values[name].to_numpy().tobytes()) for name in values}
