"""Loads how a forecast is doing: what its errors and sums are measured on, with the forecast before the newest one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mlspec.engine.comparable_runs import refuse_other_forecasts
from mlspec.engine.error_request import error_request
from mlspec.engine.rows import newest_run, previous_run
from mlspec.errors import UsageError
from mlspec.plan.natural_order import NaturalKey, natural_key
from mlspec.state.overview import ForecastOverview, OverviewRow
from mlspec.state.record import ForecastRun
from mlspec.state.resource import Json
from mlspec.state.step import StepRequest
from mlspec.targets.base import Target

OverviewJob = Callable[[StepRequest], ForecastOverview]  # jobs.overview.make_overview, here or in a process of its own


@dataclass(frozen=True, slots=True)
class OverviewBasis:
    """What an overview depends on: files and facts of the record, and the hour, as periods mature with time."""

    newest: ForecastRun
    previous: ForecastRun | None
    record: tuple[Json, ...]
    hour: str


def overview_basis(target: Target, name: str, now: str) -> OverviewBasis:
    """Return what the overview of a forecast depends on at a moment (RFC 3339). Reads no file of data."""
    run, observed = newest_run(target, name), target.observe_forecast(name)
    data = observed.resources.get("data")
    files = sorted((role, ref.sha256) for role, ref in data.files.items()) if data else []
    deployment = observed.resources.get("deployment")
    return OverviewBasis(
        newest=run,
        previous=find_previous_run(target, name, run),
        record=(files, sorted(observed.ledger.quarantined_versions), dict(deployment.facts) if deployment else None),
        hour=now[:13],
    )


def find_previous_run(target: Target, name: str, run: ForecastRun) -> ForecastRun | None:
    """Return the forecast before a run; None if it is the first one of its series, periods and values."""
    try:
        previous = previous_run(target, name, run)
        refuse_other_forecasts(target, name, previous, run)
    except UsageError:
        return None
    return previous


def load_overview(target: Target, name: str, now: str, root: Path, job: OverviewJob) -> ForecastOverview:
    """Return the overview of a forecast, its series and segments in natural order.

    Raises StateError if there is no forecast, or if it is destroyed.
    """
    overview = job(overview_request(target, name, now, root))
    ordered = sorted(zip(overview.series, overview.ids, strict=True), key=lambda pair: _natural(pair[0]))
    return replace(
        overview,
        series=tuple(row for row, _ in ordered),
        ids=tuple(unique_id for _, unique_id in ordered),
        segments={column: tuple(sorted(rows, key=_natural)) for column, rows in overview.segments.items()},
    )


def _natural(row: OverviewRow) -> list[NaturalKey]:
    return [natural_key(part) for part in row.key]


def overview_request(target: Target, name: str, now: str, root: Path) -> StepRequest:
    """Return the request for `OverviewJob`. Raises StateError if there is no forecast, or if it is destroyed."""
    request = error_request(target, name, now, root)
    previous = find_previous_run(target, name, newest_run(target, name))
    if previous is None or "forecast" not in previous.files:
        return request
    inputs = {**request.inputs, "previous": target.fetch_file(name, previous.files["forecast"])}
    return replace(request, inputs=inputs, options={**request.options, "before": previous.cutoff})
