"""How a forecast is doing, series by series: its sums and errors, and what changed since the forecast before.

Everything is a sum over rows: errors and actual values are summed once for each series, and segments and the total are sums of
those. So 30,000 series take seconds. The errors are those of `realised_errors`, on the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import pandas as pd

from mlspec.forecast.frame import CUTOFF, ID, MEAN, PREFIX, TARGET, TIME, newest_rows
from mlspec.forecast.load import KEY, join_ids
from mlspec.forecast.realised import LEAD, forecasts_by_lead, measure_accuracy
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import collect_parts
from mlspec.jobs.context import read_spec, require_input, static_segments
from mlspec.jobs.evaluate import FORECAST, VERSION, maturity_of, read_forecasts, rows_of_version
from mlspec.jobs.files import read_table
from mlspec.jobs.moment import read_now
from mlspec.jobs.parted_panel import open_panel
from mlspec.jobs.realised_errors import plain_value, read_tested, served_with_actuals
from mlspec.spec.forecast import Forecast
from mlspec.state.overview import ErrorPair, ForecastOverview, OverviewRow, VersionErrors
from mlspec.state.step import StepRequest

PREVIOUS = "previous"  # the input with the forecast before the newest one, if there is one
_MOST_VERSIONS = 12  # the newest ones, whose errors are measured each by itself
_SUMS = ["recent", "forecast", "before", "after", "error", "actual", "signed", "tested_error", "tested_actual"]


def make_overview(request: StepRequest) -> ForecastOverview:
    """Return the overview of a forecast. The request is that of `realised_errors.compare_errors`.

    Its option `before` is the cutoff of the input `previous`, if there is one.
    """
    spec = read_spec(request)
    panel, forecasts = open_panel(request, spec), read_forecasts(request, spec, FORECAST)
    realised = _with_errors(served_with_actuals(request, spec, panel, forecasts))
    tested = _with_errors(read_tested(request))
    runs = [_run_rows(request, spec, role) for role in (f"{FORECAST}1", PREVIOUS) if role in request.inputs]
    groups = _read_groups(request, spec)
    sums, compared = _series_sums(panel, runs, realised, tested)
    sums = sums.reindex(sums.index.intersection(groups.index, sort=False))
    now = read_now(request, "evaluate", spec.dataset.timezone)
    leads = forecasts_by_lead(panel, forecasts, maturity_of(spec), now)
    form = partial(panel.layout.frequency.format_period, zone=spec.dataset.timezone)
    names = list(spec.dataset.series)
    ids = {run_id for run in runs for run_id in run[ID]} if len(runs) > 1 else set[str]()
    return ForecastOverview(
        columns=tuple(names),
        total=_overview_rows(sums, pd.Series("", index=sums.index), lambda _key: ())[0],
        series=_overview_rows(sums, sums.index.to_series(), _key_finder(groups[names])),
        ids=tuple(map(str, sums.index)),
        segments={
            str(name): _overview_rows(sums, groups[name].reindex(sums.index), lambda key: (plain_value(key),))
            for name in groups.columns
            if name not in names or len(names) > 1  # the values of an only series column are the series themselves
        },
        by_horizon=_error_pairs(_with_errors(_concat(leads.values())), tested, LEAD, lambda step: str(int(step))),
        by_period=_error_pairs(realised, tested[:0], TIME, form),
        by_cutoff=_error_pairs(realised[:0], tested, CUTOFF, form),
        metrics=measure_accuracy(realised, spec.model.quantiles, spec.package_metrics) if len(realised) else None,
        before=request.options.get("before"),
        compared=compared,
        new=len(ids - set(runs[1][ID])) if ids else 0,
        unit=spec.dataset.target,
        gone=len(ids - set(runs[0][ID])) if ids else 0,
        by_version=_version_errors(panel, forecasts, spec, now),
    )  # fmt: skip


def _version_errors(
    panel: PartedPanel, forecasts: list[pd.DataFrame], spec: Forecast, now: pd.Timestamp
) -> tuple[VersionErrors, ...]:
    """Return the realised errors of each version, the version with the newest forecast first."""
    names = dict.fromkeys(str(name) for rows in reversed(forecasts) for name in rows[VERSION].unique())
    measured = (
        (name, rows_of_version(name, panel, forecasts, maturity_of(spec), now)) for name in [*names][:_MOST_VERSIONS]
    )
    return tuple(
        VersionErrors(name, measure_accuracy(rows, spec.model.quantiles, spec.package_metrics), len(rows))
        for name, rows in measured
        if len(rows)
    )


def _read_groups(request: StepRequest, spec: Forecast) -> pd.DataFrame:
    """Return the series and static columns of every series that is forecast, also as ended, with the user's names."""
    series = read_table(require_input(request, "series"))
    keys = {name: series.set_index(ID)[KEY + name] for name in spec.dataset.series}
    static = {
        name: static_segments(series, name)
        for name in spec.dataset.covariates.static
        if name not in keys and PREFIX + name in series
    }
    return pd.DataFrame({**keys, **static}, index=pd.Index(series[ID]))


def _run_rows(request: StepRequest, spec: Forecast, role: str) -> pd.DataFrame:
    """Return the means of a forecast by unique_id and period."""
    frame = read_table(require_input(request, role))
    ids = join_ids([frame[name] for name in spec.dataset.series], frame.index)
    return pd.DataFrame({ID: ids, TIME: frame[spec.dataset.time], MEAN: frame[MEAN]})


def _with_errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of forecasts with actual values with their errors, as the sums of WAPE and bias take them."""
    if not len(rows):
        return pd.DataFrame(columns=[ID, TIME, CUTOFF, LEAD, "error", "signed", "actual"])
    signed = rows[MEAN] - rows[TARGET]
    return rows.assign(signed=signed, error=signed.abs(), actual=rows[TARGET].abs().where(signed.notna()))


def _series_sums(
    panel: PartedPanel, runs: list[pd.DataFrame], realised: pd.DataFrame, tested: pd.DataFrame
) -> tuple[pd.DataFrame, int]:
    """Return the sums of each series of the newest forecast, in the order of their ids, and how many periods were compared."""
    newest = runs[0]
    common = set(newest[TIME]) & set(runs[1][TIME]) if len(runs) > 1 else set()
    since = panel.times[-newest[TIME].nunique() :][0]
    recent = collect_parts(panel, partial(newest_rows, since=since))
    sums = pd.DataFrame({"forecast": _sum(newest, MEAN)})
    sums["recent"] = _sum(recent, TARGET)
    for name, run in zip(("after", "before"), runs, strict=False):
        sums[name] = _sum(run[run[TIME].isin(common)], MEAN)
    if "before" not in sums:
        sums["before"] = sums["after"] = math.nan
    sums.loc[sums["before"].isna() | sums["after"].isna(), ["before", "after"]] = math.nan
    for name in ("error", "actual", "signed"):
        sums[name] = _sum(realised, name)
    sums["tested_error"], sums["tested_actual"] = _sum(tested, "error"), _sum(tested, "actual")
    sums["values"] = realised.groupby(ID).size().reindex(sums.index).fillna(0) if len(realised) else 0
    return sums.sort_index(), len(common)


def _sum(rows: pd.DataFrame, column: str) -> pd.Series:
    """Return the sum of a column by series; no value where there is none to sum."""
    return rows.groupby(ID)[column].sum(min_count=1).astype("float64")


def _overview_rows(sums: pd.DataFrame, by: pd.Series, key: Any) -> tuple[OverviewRow, ...]:
    grouped = sums.groupby(by, sort=True, dropna=False)
    table = grouped[_SUMS].sum(min_count=1).assign(values=grouped["values"].sum(), series=grouped.size())
    return tuple(
        OverviewRow(
            key=key(row.Index),
            series=int(row.series),
            recent=_plain_sum(row.recent),
            forecast=_plain_sum(row.forecast),
            before=_plain_sum(row.before),
            after=_plain_sum(row.after),
            realised=_share(row.error, row.actual),
            backtest=_share(row.tested_error, row.tested_actual),
            bias=_share(row.signed, row.actual),
            values=int(row.values),
        )
        for row in table.itertuples()
    )


def _key_finder(names: pd.DataFrame) -> Any:
    keys = {str(name): tuple(map(plain_value, row)) for name, *row in names.itertuples(name=None)}
    return lambda unique_id: keys[str(unique_id)]


def _error_pairs(realised: pd.DataFrame, tested: pd.DataFrame, column: str, form: Any) -> tuple[ErrorPair, ...]:
    """Return the WAPE of both sides for each value of a column, in order."""
    sides: list[Mapping[Any, float | None]] = [_wape_by(rows, column) for rows in (realised, tested)]
    return tuple(ErrorPair(form(at), sides[0].get(at), sides[1].get(at)) for at in sorted({*sides[0], *sides[1]}))


def _wape_by(rows: pd.DataFrame, column: str) -> dict[Any, float | None]:
    if not len(rows):
        return {}
    table = rows.groupby(column)[["error", "actual"]].sum()
    return {at: _share(error, actual) for at, error, actual in table.itertuples(name=None)}


def _concat(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    present = [part for part in parts if len(part)]
    return pd.concat(present, ignore_index=True) if present else pd.DataFrame()


def _plain_sum(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _share(above: float, below: float) -> float | None:
    """Return above / below; None if that is not a finite number."""
    value = above / below if below else math.nan
    return float(value) if math.isfinite(value) else None
