"""What a forecast would be with other promotions or prices: what is recorded is read, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlspec.engine.effects import checked_files
from mlspec.engine.error_request import serving_release
from mlspec.engine.rows import PlainRows, plain_rows
from mlspec.errors import StateError, UsageError
from mlspec.plan.forecast_changes import ForecastChanges, ForecastValue, compare_forecasts
from mlspec.plan.releases import release_spec
from mlspec.plan.select import known_name
from mlspec.plan.serving import observed_traffic, stable_version
from mlspec.state.assumptions import Assumptions
from mlspec.state.observed import Observed
from mlspec.state.record import Release
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
    name = known_name(name, target.forecast_names())
    observed = target.observe_forecast(name)
    release, _version = serving_release(target, name, stable_version(observed))
    if release is None or "data" not in observed.resources:
        raise StateError(f"nothing of {name} serves", hint="`mlspec status` says why; `mlspec apply` makes a forecast")
    made = forecast(_forecast_request(target, observed, release, root), assumed)
    dataset = release_spec(release).dataset
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


def _forecast_request(target: Target, observed: Observed, release: Release, root: Path) -> StepRequest:
    """Return the request of the step `forecast` by what serves, from the newest data."""
    shares = dict(observed_traffic(observed))
    refs = dict(checked_files(observed.resources["data"].files))
    for version in target.load_versions(observed.forecast):
        if version.version in shares:
            refs |= {f"{role}-{version.version}": version.files[role] for role in ("model", "backtest")}
    return StepRequest(
        step="forecast",
        spec=release.spec,
        root=root,
        out=root,
        inputs={role: target.fetch_file(observed.forecast, ref) for role, ref in refs.items()},
        options={"traffic": shares},
    )
