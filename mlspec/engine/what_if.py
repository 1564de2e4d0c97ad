"""What a forecast would be with other promotions or prices: what is recorded is read, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlspec.engine.effects import recorded_file
from mlspec.engine.rows import PlainRows, plain_rows
from mlspec.engine.serving_record import ServingRecord, load_serving
from mlspec.errors import StateError, UsageError
from mlspec.plan.forecast_changes import ForecastChanges, ForecastValue, compare_forecasts
from mlspec.plan.releases import release_spec
from mlspec.plan.serving import observed_traffic
from mlspec.state.assumptions import Assumptions
from mlspec.state.step import StepRequest
from mlspec.targets.base import Target

# jobs.forecast_what_if: returns an object with `before` and `after` (data frames), `cutoff` and `notes`.
Forecaster = Callable[[StepRequest, Assumptions], Any]


@dataclass(frozen=True, slots=True)
class WhatIfComparison:
    """The forecast as it is beside the one that is assumed: by series (`changes`), and a row for each series and period.

    `series` and `time` name the columns of a row, `cutoff` the newest period of the data, `notes` what has to be said of it.
    """

    series: tuple[str, ...]
    time: str
    cutoff: str
    rows: PlainRows
    changes: ForecastChanges
    notes: tuple[str, ...]


def compare_what_if(
    target: Target, name: str, root: Path, assumed: Assumptions, forecast: Forecaster
) -> WhatIfComparison:
    """Forecast with the plan as it is and with what is assumed. Raises UsageError for an unknown name or what no plan can have."""
    if not assumed.values:
        raise UsageError("nothing is assumed", hint="add --set COLUMN=VALUE, such as --set promo=1")
    served = load_serving(target, name)
    made = forecast(_forecast_request(target, served, root), assumed)
    dataset = release_spec(served.release).dataset
    columns = [*dataset.series, dataset.time]
    values = [list(made.before[column]) for column in columns]
    rows = plain_rows(
        [*columns, "before", "after"], [*values, list(made.before["mean"]), list(made.after["mean"])], dataset.timezone
    )
    sides = [
        [ForecastValue(tuple(row[: len(dataset.series)]), row[len(dataset.series)], row[at]) for row in rows.values]
        for at in (-2, -1)
    ]
    changes = compare_forecasts(*sides)
    if changes is None:
        raise StateError(f"{name} forecasts no series", hint="`mlspec status` says why")
    return WhatIfComparison(
        dataset.series, dataset.time, made.cutoff, rows.sort_by_keys(dataset.series), changes, made.notes
    )


def _forecast_request(target: Target, served: ServingRecord, root: Path) -> StepRequest:
    """Return the request of the step `forecast` by all versions that serve, from the newest data."""
    shares = dict(observed_traffic(served.observed))
    files = {
        f"{role}-{version.version}": recorded_file(version, role)
        for version in target.load_versions(served.observed.forecast)
        if version.version in shares
        for role in ("model", "backtest")
    }
    return served.step_request(target, "forecast", root, files, {"traffic": shares})
