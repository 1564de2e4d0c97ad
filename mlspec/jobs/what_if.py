"""What a forecast would be with another plan of known covariates, beside what it is with the plan that there is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlspec.errors import NotFound, UsageError
from mlspec.forecast.changed_plan import PlanChange, PlanChanges, change_plan
from mlspec.jobs.context import forecast_names, panel_layout, read_spec
from mlspec.jobs.forecast import forecast_by_traffic
from mlspec.jobs.parted_panel import open_panel
from mlspec.spec.faults import did_you_mean, hint_on_series
from mlspec.spec.forecast import Forecast
from mlspec.state.assumptions import Assumptions
from mlspec.state.step import StepRequest


@dataclass(frozen=True)
class WhatIf:
    """Two forecasts by the same versions from the same data, with the user's columns; `notes` on what was assumed."""

    before: pd.DataFrame
    after: pd.DataFrame
    cutoff: str
    notes: tuple[str, ...]


def run(request: StepRequest, assumed: Assumptions) -> WhatIf:
    """Forecast twice: with the plan as it is, and with what is assumed. The request is that of the step `forecast`.

    Raises UsageError for what the plan cannot have.
    """
    spec = read_spec(request)
    names, panel = forecast_names(request, spec), open_panel(request, spec)
    changed, notes = change_plan(panel, _plan_changes(assumed, spec, names))
    before, after = (forecast_by_traffic(request, spec, each, names) for each in (panel, changed))
    if before["mean"].equals(after["mean"]):
        notes = (*notes, "the forecast stays as it is: the model that serves finds no effect of this")
    return WhatIf(before, after, panel_layout(spec).frequency.format_period(panel.cutoff), notes)


def plain_columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a frame's columns as plain values, for a process that has no pandas. A missing value is None."""
    return {str(name): [_plain(value) for value in frame[name].astype(object)] for name in frame}


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    plain = value.item() if hasattr(value, "item") else value
    return None if plain is pd.NaT or plain != plain else plain  # noqa: PLR0124  (NaN is the value that is not itself)


def _plan_changes(assumed: Assumptions, spec: Forecast, names: pd.DataFrame) -> PlanChanges:
    first, last = (None if text is None else _read_period(text) for text in (assumed.first, assumed.last))
    changes = tuple(PlanChange(*pair) for pair in assumed.values.items())
    return PlanChanges(changes, _chosen_series(assumed, spec, names) if assumed.series else None, first, last)


def _chosen_series(assumed: Assumptions, spec: Forecast, names: pd.DataFrame) -> frozenset[str]:
    """Return the series that are named. Raises UsageError for a column that names none, or if no series is meant."""
    chosen = pd.Series(True, index=names.index)
    for column, value in assumed.series.items():
        if column not in names:
            raise UsageError(f"'{column}' names no series", hint=did_you_mean(column, spec.dataset.series))
        chosen &= names[column].astype(str) == value
    if not chosen.any():
        pairs = " ".join(f"{column}={value}" for column, value in assumed.series.items())
        known = {column: names[column].astype(str) for column in assumed.series}
        raise NotFound(f"there is no series {pairs}", hint=hint_on_series(assumed.series, known, spec.metadata.name))
    return frozenset(map(str, names.index[chosen]))


def _read_period(text: str) -> pd.Timestamp:
    try:
        period = pd.Timestamp(dt.datetime.fromisoformat(text))
    except ValueError as error:
        raise UsageError(f"'{text}' is no date", hint="write it as 2026-12-24") from error
    if period.tz is not None:
        raise UsageError(f"'{text}' has an offset", hint="write the dataset's own time, without one")
    return period
