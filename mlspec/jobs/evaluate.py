"""Step `evaluate`: measures the metric of each alert on earlier forecasts and the actual values since then.

It only measures; it does not decide whether an alert fires. A server's metrics (error rate and latency) have no value here: they
are computed from request counts (`plan.serving_metrics`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.forecast import data_metrics
from mlspec.forecast.drift import observed_table
from mlspec.forecast.entrant_forecasts import CHAMPION
from mlspec.forecast.fates import BY_END
from mlspec.forecast.frame import CUTOFF, ID, TARGET, TIME
from mlspec.forecast.frequency import span_between
from mlspec.forecast.load import join_ids
from mlspec.forecast.quantiles import quantile_column
from mlspec.forecast.realised import (
    Maturity,
    forecasts_by_lead,
    join_actuals,
    last_windows,
    match_newest,
    measure_accuracy,
    newest_forecasts,
)
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.usual_drift import FEWEST_BLOCKS, block_share, drift_limit, usual_limit
from mlspec.forecast.usual_errors import FEWEST_SERVED, error_blocks, smaller_limits
from mlspec.jobs.actual_values import write_actuals
from mlspec.jobs.context import read_spec, segment_columns
from mlspec.jobs.files import read_chosen_rows, read_table, read_tables, write_json
from mlspec.jobs.moment import read_now
from mlspec.jobs.parted_panel import open_panel
from mlspec.spec.alerts import Alert
from mlspec.spec.forecast import Forecast
from mlspec.spec.metrics import find_metric, names_of_packages
from mlspec.spec.output_columns import METHOD
from mlspec.state.step import Progress, StepRequest, StepResult

# forecast-1 is the newest forecast; shadow-1 is the newest one by a version without traffic.
# backtest-VERSION is the backtest of a version with traffic, for alerts that ask what is usual.
FORECAST, SHADOW, BACKTEST = "forecast-", "shadow-", "backtest-"
VERSION = "version"
_KEY = [ID, TIME, CUTOFF]  # identifies a forecast of one series and period


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Measure at `now` (RFC 3339). The facts list each alert's values by segment, the newest evaluation first.

    Forecasts by versions in the option `quarantined` are left out. `by_version` holds the values of each version in the option
    `versions`, measured on all series that it forecast, shadows included, over as many mature periods as it has. `made_at` holds
    the cutoffs of those forecasts. The option `instead` maps a version of `versions` to another version: the input `instead` has
    the other version's forecasts from these cutoffs, and they are measured on the same series and periods. With the option
    `actuals_since` the actual values of the years since then are among the files (`jobs.actual_values`).
    """
    spec = read_spec(request)
    now = read_now(request, "evaluate", spec.dataset.timezone)
    panel = open_panel(request, spec)
    progress(0, 1, "compare forecasts with actual values")
    maturity = maturity_of(spec)
    all_forecasts, shadows = read_forecasts(request, spec, FORECAST), read_forecasts(request, spec, SHADOW)
    served, good = serving_forecasts(request, all_forecasts)
    rows = join_actuals(panel, good, maturity, now) if len(good) else good
    rows_by_version = {
        name: rows_of_version(name, panel, [*shadows, served], maturity, now)
        for name in request.options.get("versions") or ()
    }
    for served_by, other in (request.options.get("instead") or {}).items():
        instead_forecasts = _with_series_ids(request, spec, read_table(request.inputs["instead"]))
        rows_by_version[other] = join_actuals(
            panel, _matching_forecasts(instead_forecasts, rows_by_version[served_by]), maturity, now
        )
    measure = _AlertMeasurement(
        spec, panel, rows, rows_by_version, segment_columns(request, spec), now, _champions_tested(request, spec)
    )
    measured = spec.model.quantiles, spec.package_metrics
    facts = {
        "periods": int(rows[TIME].nunique()) if len(rows) else 0,
        "metrics": measure_accuracy(rows, *measured),
        "by_horizon": [
            {"step": step, "metrics": measure_accuracy(part, *measured)}
            for step, part in forecasts_by_lead(panel, all_forecasts, maturity, now).items()
        ],
        "alerts": [measure.measure_alert(alert) for alert in spec.alerts],
    }
    progress(1, 1, "forecasts compared with actual values")
    actuals = write_actuals(request, spec, panel, maturity, now)
    return StepResult({"evaluation": write_json(facts, request.out / "evaluation.json"), **actuals}, facts)


def _champions_tested(request: StepRequest, spec: Forecast) -> list[pd.DataFrame]:
    """Return what the versions with traffic forecast in their backtests, with the actual values."""
    paths = [path for role, path in sorted(request.inputs.items()) if role.startswith(BACKTEST)]
    tested = [read_chosen_rows(path, _is_champion_tested) for path in paths]
    return [newest_forecasts([_with_quantiles(rows, spec)]) for rows in tested]


def _is_champion_tested(rows: pa.Table) -> pa.Array:
    return pc.and_(rows[CHAMPION], pc.is_valid(rows[TARGET]))


def maturity_of(spec: Forecast) -> Maturity:
    """Return when a period of this spec is mature."""
    return Maturity(pd.Timedelta(spec.dataset.actuals.available_after), spec.dataset.actuals.min_coverage)


def serving_forecasts(request: StepRequest, forecasts: list[pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the newest forecast of each series and period, and those of them that are not by a version in quarantine.

    They are chosen before quarantined versions are left out: an older forecast must not take their place.
    """
    served = newest_forecasts(forecasts) if forecasts else pd.DataFrame(columns=[ID, TIME, VERSION])
    good = served[~served[VERSION].isin(request.options.get("quarantined") or ())]
    return served, good


def rows_of_version(
    version: str, panel: PartedPanel, forecasts: list[pd.DataFrame], maturity: Maturity, now: pd.Timestamp
) -> pd.DataFrame:
    """Return one version's forecasts, served or shadow, with their actual values."""
    own_forecasts = [part for part in (rows[rows[VERSION] == version] for rows in forecasts) if len(part)]
    return match_newest(panel, own_forecasts, maturity, now)


def _matching_forecasts(forecasts: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts with the same series, period and cutoff as `rows`."""
    return forecasts.merge(rows[_KEY], on=_KEY, how="inner") if len(rows) else forecasts[:0]


@dataclass(frozen=True)
class _AlertMeasurement:
    """The data for measuring alerts: forecasts with actual values, in all and by version, and the panel."""

    spec: Forecast
    panel: PartedPanel
    rows: pd.DataFrame
    own: Mapping[str, pd.DataFrame]
    groups: pd.DataFrame
    now: pd.Timestamp
    tested: Sequence[pd.DataFrame] = ()

    @cached_property
    def table(self) -> pd.DataFrame:
        """The panel as a wide table, created once for all data alerts."""
        return observed_table(self.panel)

    def measure_alert(self, alert: Alert) -> dict[str, Any]:
        """Return one alert's values, in all and by version: one list per segment, with as many values as `for` needs."""
        metric, count = find_metric(alert.metric), alert.agreement.evaluations
        if metric.kind == "age":
            end = self.panel.layout.frequency.period_end(self.panel.cutoff)
            age = span_between(end, self.now).total_seconds()
            return {"name": alert.name, "segments": {"": [max(age, 0.0)] * count}, "by_version": {}}
        length = alert.window or metric.usual_window
        if metric.kind != "accuracy":
            return {"name": alert.name, **self._measure_data(alert, length, count), "by_version": {}}
        parts = {name: self._own_windows(rows, length, count) for name, rows in self.own.items()}
        return {
            "name": alert.name,
            "segments": self._alert_values(alert, last_windows(self.rows, length, count)),
            "by_version": {name: self._alert_values(alert, version_windows) for name, version_windows in parts.items()},
            "made_at": {name: self._forecast_cutoffs(version_windows) for name, version_windows in parts.items()},
            **({} if alert.tolerated_alarms is None else {"limits": self._usual_errors(alert, length, count)}),
        }

    def _usual_errors(self, alert: Alert, length: int, count: int) -> dict[str, float]:
        """Return by segment what is usual: by the backtests of what serves, or by what served before, whichever is less."""
        by_backtest = [self._error_limits(alert, length, rows, FEWEST_BLOCKS) for rows in self.tested]
        newest = sorted(self.rows[TIME].unique())[-(length + count - 1) :] if len(self.rows) else []
        before = self.rows[~self.rows[TIME].isin(newest)] if newest else self.rows
        fewest = FEWEST_SERVED if any(by_backtest) else FEWEST_BLOCKS  # a backtest of few windows tells nothing
        return smaller_limits(by_backtest, self._error_limits(alert, length, before, fewest))

    def _error_limits(self, alert: Alert, length: int, rows: pd.DataFrame, fewest: int) -> dict[str, float]:
        """Return the limit of each segment whose rows have enough blocks."""
        metric, parts = find_metric(alert.metric), _split_segments(rows, self.groups, alert.by)
        share = block_share(alert.tolerated_alarms or 0.0, length, self.table.index)

        def badness(some: pd.DataFrame) -> float | None:
            value = self._measure_one(alert, some)
            return None if value is None else metric.badness(value)

        limits: dict[str, float] = {}
        for segment, part in parts if len(rows) else []:
            blocks = error_blocks(part, badness, length, segments=len(parts))
            limit = usual_limit(blocks, share, around_zero=metric.ideal == 0.0) if len(blocks) >= fewest else None
            if limit is not None:
                limits[segment] = limit
        return limits

    def _measure_one(self, alert: Alert, rows: pd.DataFrame) -> float | None:
        """Return the value of an alert's metric over some rows."""
        return measure_accuracy(rows, self.spec.model.quantiles, names_of_packages([alert.metric]))[alert.metric]

    def _forecast_cutoffs(self, parts: Sequence[pd.DataFrame]) -> list[str]:
        """Return the cutoffs of the forecasts in these windows, oldest first."""
        cutoffs = {cutoff for part in parts if len(part) for cutoff in part[CUTOFF]}
        return [self.panel.layout.frequency.format_period(cutoff_time) for cutoff_time in sorted(cutoffs)]

    def _measure_data(self, alert: Alert, length: int, count: int) -> dict[str, dict[str, Any]]:
        """Return a data metric's values by segment, and the limits that its past tells, if the alert asks for them.

        Values of a server's metrics are None: they come from request counts.
        """
        ids = self.groups.index
        keys = _segment_keys(self.groups, alert.by) if alert.by else pd.Series("", index=ids)
        tables = {
            str(segment): self.table[members]
            for segment, members in ids.to_series().groupby(keys, sort=True).groups.items()
        }
        windows = {segment: self._data_window(alert, table, length) for segment, table in tables.items()}
        formula = data_metrics.FORMULAS.get(alert.metric, _unknown)
        measured = {
            "segments": {
                segment: [formula(window.earlier(back)) for back in range(count)] for segment, window in windows.items()
            }
        }
        if alert.tolerated_alarms is None:
            return measured
        limits = {
            segment: drift_limit(window.earlier(count - 1), formula, alert.tolerated_alarms)
            for segment, window in windows.items()
        }
        return {**measured, "limits": limits}

    def _data_window(self, alert: Alert, table: pd.DataFrame, length: int) -> data_metrics.DataWindow:
        baseline = alert.baseline or data_metrics.USUAL_BASELINE
        return data_metrics.DataWindow.newest(table, self.panel.layout.season, length, baseline)

    def _own_windows(self, own: pd.DataFrame, length: int, count: int) -> list[pd.DataFrame]:
        """Return a version's rows in the last windows. They need not be full: one mature period is enough evidence."""
        periods = sorted({*(self.rows[TIME] if len(self.rows) else ()), *(own[TIME] if len(own) else ())})
        ends = [len(periods) - back for back in range(count)]
        return [own[own[TIME].isin(periods[max(end - length, 0) : max(end, 0)])] if len(own) else own for end in ends]

    def _alert_values(self, alert: Alert, parts: Sequence[pd.DataFrame]) -> dict[str, list[float | None]]:
        values_by_segment: dict[str, list[float | None]] = {}
        for position, part in enumerate(parts):
            for segment, segment_rows in _split_segments(part, self.groups, alert.by):
                values = values_by_segment.setdefault(segment, [None] * len(parts))
                values[position] = self._measure_one(alert, segment_rows)
        return values_by_segment


def _unknown(_window: data_metrics.DataWindow) -> float | None:
    """Return the value of a metric that the data does not tell."""
    return None


def _segment_keys(groups: pd.DataFrame, by: tuple[str, ...]) -> pd.Series:
    """Return each series' segment, as messages name it."""
    return f"{','.join(by)}=" + groups[list(by)].astype(str).agg(",".join, axis=1)


def _split_segments(rows: pd.DataFrame, groups: pd.DataFrame, by: tuple[str, ...]) -> list[tuple[str, pd.DataFrame]]:
    if not by or not len(rows):
        return [("", rows)] if not by else []
    return [(str(key), part) for key, part in rows.groupby(rows[ID].map(_segment_keys(groups, by)), sort=True)]


def read_forecasts(request: StepRequest, spec: Forecast, prefix: str) -> list[pd.DataFrame]:
    """Return the input forecasts of a prefix as one table, the oldest first; an empty list if there are none."""
    numbers = sorted(
        (int(role.removeprefix(prefix)) for role in request.inputs if role.startswith(prefix)), reverse=True
    )
    paths = [request.inputs[f"{prefix}{number}"] for number in numbers]
    return [_with_series_ids(request, spec, read_tables(paths))] if paths else []


def _with_quantiles(frame: pd.DataFrame, spec: Forecast) -> pd.DataFrame:
    """Return forecasts with a column for each quantile of the spec, without a value where they were made under other quantiles."""
    lacking = [name for name in map(quantile_column, spec.model.quantiles) if name not in frame]
    return frame.assign(**dict.fromkeys(lacking, float("nan"))) if lacking else frame


def _with_series_ids(request: StepRequest, spec: Forecast, frame: pd.DataFrame) -> pd.DataFrame:
    """Return forecasts of the panel's series with unique_id and ds, without the user's columns, whatever their names are.

    A zero for a series that had ended is left out, also if the series came back: no version made it.
    """
    if METHOD in frame and METHOD not in (*spec.dataset.series, spec.dataset.time):
        frame = frame[frame[METHOD] != BY_END].drop(columns=METHOD)
    named = list(spec.dataset.series)
    ids = join_ids([frame[name] for name in named], frame.index)
    frame = frame.drop(columns=named).rename(columns={spec.dataset.time: TIME}).assign(**{ID: ids})
    frame = _with_quantiles(frame, spec)
    return frame[frame[ID].isin(segment_columns(request, spec).index)].reset_index(drop=True)
