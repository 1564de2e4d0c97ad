"""Step `evaluate`: what each alert of the spec is about, measured on the forecasts that were made and the actuals that came since.

It measures and judges nothing. A metric that no step of the pipeline can know (drift, errors and latency of a server) has no value
here, which is `no-data`, never good.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from mlspec.forecast.frame import ID, PREFIX, TIME, Panel
from mlspec.forecast.metrics import NAMES
from mlspec.forecast.realised import Maturity, matched, value, windows
from mlspec.jobs.context import own_names, panel_of, spec_of
from mlspec.jobs.files import read_table, write_json
from mlspec.jobs.moment import moment
from mlspec.spec.forecast import Alert, Forecast
from mlspec.state.step import Progress, StepRequest, StepResult

FORECAST_ROLE = "forecast-"  # forecast-1 is the newest


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Measure at `now` (RFC 3339). The facts list each alert's values, the newest evaluation first, by segment."""
    spec, now = spec_of(request), moment(request, "evaluate")
    panel = panel_of(request, spec)
    progress(0, 1, "hold forecasts against their actuals")
    maturity = Maturity(pd.Timedelta(spec.dataset.actuals.available_after), spec.dataset.actuals.min_coverage)
    rows = matched(panel, _forecasts(request, spec), maturity, now)
    groups = _groups(request, spec)
    facts = {
        "periods": int(rows[TIME].nunique()) if len(rows) else 0,
        "metrics": {name: value(rows, name, spec.model.quantiles) for name in NAMES},
        "alerts": [_measured(alert, spec, panel, rows, groups, now) for alert in spec.alerts],
    }
    progress(1, 1, "evaluated")
    return StepResult({"evaluation": write_json(facts, request.out / "evaluation.json")}, facts)


def _measured(
    alert: Alert, spec: Forecast, panel: Panel, rows: pd.DataFrame, groups: pd.DataFrame, now: pd.Timestamp
) -> dict[str, Any]:
    """Return one alert's values: a list a segment, the newest evaluation first, as many as `for` asks for."""
    count = int(alert.for_.split(" of ")[1]) if alert.for_ else 1
    if alert.metric == "data_age":
        age = (now - panel.layout.frequency.end(panel.cutoff)).total_seconds()
        return {"name": alert.name, "segments": {"": [max(age, 0.0)] * count}}
    if alert.metric not in NAMES:
        return {"name": alert.name, "segments": {"": [None] * count}}
    found: dict[str, list[float | None]] = {}
    for part in windows(rows, alert.window or 1, count):
        for segment, inside in _segments(part, groups, alert.by):
            found.setdefault(segment, []).append(value(inside, alert.metric, spec.model.quantiles))
    return {
        "name": alert.name,
        "segments": {name: [*values, *[None] * (count - len(values))] for name, values in found.items()},
    }


def _segments(rows: pd.DataFrame, groups: pd.DataFrame, by: tuple[str, ...]) -> list[tuple[str, pd.DataFrame]]:
    if not by or not len(rows):
        return [("", rows)] if not by else []
    keys = rows[ID].map(groups[list(by)].astype(str).agg(",".join, axis=1))
    return [(f"{','.join(by)}={key}", part) for key, part in rows.groupby(keys, sort=True)]


def _forecasts(request: StepRequest, spec: Forecast) -> list[pd.DataFrame]:
    """Return the forecasts that were made, under unique_id and ds: they are kept under the user's own names."""
    names = own_names(request, spec)
    keys = list(names.columns)
    ids = names.reset_index()
    files = [path for role, path in sorted(request.inputs.items()) if role.startswith(FORECAST_ROLE)]
    found = []
    for path in files:
        frame = read_table(path).rename(columns={spec.dataset.time: TIME})
        joined = frame.merge(ids, on=keys, how="inner") if keys else frame.assign(**{ID: ids[ID].iloc[0]})
        found.append(joined)
    return found


def _groups(request: StepRequest, spec: Forecast) -> pd.DataFrame:
    series = read_table(request.inputs["series"]).set_index(ID)
    static = {name: series[PREFIX + name] for name in spec.dataset.covariates.static}
    return own_names(request, spec).assign(**static)
