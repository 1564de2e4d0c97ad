"""The errors of a forecast by series, by periods ahead or by segment: those of the backtest beside those of what served."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.errors import UsageError
from mlspec.forecast.frame import CANDIDATE, CUTOFF, ID, MEAN, STEP, TARGET, TIME
from mlspec.forecast.realised import LEAD, forecasts_by_lead, join_actuals
from mlspec.forecast.scores import score_rows
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.jobs.context import read_spec, require_input, segment_columns
from mlspec.jobs.evaluate import FORECAST, VERSION, maturity_of, read_forecasts, serving_forecasts
from mlspec.jobs.files import read_chosen_rows
from mlspec.jobs.moment import read_now
from mlspec.jobs.parted_panel import open_panel
from mlspec.spec.forecast import Forecast
from mlspec.state.error_grouping import ErrorGrouping
from mlspec.state.step import StepRequest

Key = tuple[Any, ...]
_HORIZON = "periods_ahead"
_ACTUAL = "actual"


def compare_errors(
    request: StepRequest, by: ErrorGrouping, cutoff: str | None
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the names of the key columns, and a row for each key: the key, `backtest` and `realised` with metrics and periods.

    The request is that of the step `evaluate`, with the champion's backtest as the input `backtest` and its name as the option
    `candidate`. With `cutoff` only forecasts from that cutoff count, also in the backtest.

    Raises UsageError for the segments of a forecast that has none.
    """
    spec = read_spec(request)
    now = read_now(request, "evaluate", spec.dataset.timezone)
    panel, segments = open_panel(request, spec), segment_columns(request, spec)
    if by == "segment" and segments.empty:
        raise UsageError(
            f"{spec.metadata.name} is one series, without segments", hint="--by horizon has a row for each period ahead"
        )
    forecasts = read_forecasts(request, spec, FORECAST)
    if by == "horizon":
        leads = forecasts_by_lead(panel, forecasts, maturity_of(spec), now)
        realised = pd.concat(leads.values(), ignore_index=True) if leads else pd.DataFrame()
    else:
        realised = served_with_actuals(request, spec, panel, forecasts)
    tested, realised = (_from_cutoff(rows, cutoff, panel) for rows in (read_tested(request), realised))
    columns, split = _grouping(by, list(spec.dataset.series), segments)
    sides = {
        side: {key: _measure(rows, spec) for key, rows in split(frame)} if len(frame) else {}
        for side, frame in (("backtest", tested), ("realised", realised))
    }
    keys = dict.fromkeys(key for side in sides.values() for key in side)
    return columns, [
        {**dict(zip(columns, key, strict=True)), **{side: sides[side].get(key) for side in sides}} for key in keys
    ]


def realised_rows(request: StepRequest) -> pd.DataFrame:
    """Return each mature period's forecast with its actual value, as `realised` is measured: the newest one made before it.

    The columns are the user's series and time columns, then `cutoff`, the forecast, `version` and `actual`.
    """
    spec = read_spec(request)
    panel, forecasts = open_panel(request, spec), read_forecasts(request, spec, FORECAST)
    names = segment_columns(request, spec)[list(spec.dataset.series)]
    values = [CUTOFF, MEAN, *(f"q{quantile:g}" for quantile in sorted(spec.model.quantiles)), VERSION]
    rows = served_with_actuals(request, spec, panel, forecasts)
    if not len(rows):
        types = dict.fromkeys((*names.columns, VERSION), "object") | dict.fromkeys(
            (spec.dataset.time, CUTOFF), "datetime64[ns]"
        )
        columns = [*names.columns, spec.dataset.time, *values, _ACTUAL]
        return pd.DataFrame({name: pd.Series(dtype=types.get(name, "float64")) for name in columns})
    keys = names.loc[rows[ID]].reset_index(drop=True)
    shown = rows[[TIME, *values, TARGET]].rename(columns={TIME: spec.dataset.time, TARGET: _ACTUAL})
    return pd.concat([keys, shown.reset_index(drop=True)], axis="columns")


def read_tested(request: StepRequest) -> pd.DataFrame:
    """Return the backtest of the request's candidate where there are actual values, with the column LEAD of realised errors."""
    candidate = str(request.options["candidate"])

    def is_tested(rows: pa.Table) -> pa.Array:
        return pc.and_(pc.equal(rows[CANDIDATE], candidate), pc.is_valid(rows[TARGET]))

    return read_chosen_rows(require_input(request, "backtest"), is_tested).rename(columns={STEP: LEAD})


def served_with_actuals(
    request: StepRequest, spec: Forecast, panel: PartedPanel, forecasts: list[pd.DataFrame]
) -> pd.DataFrame:
    """Return what was served, by versions that are not in quarantine, with actual values; an empty frame if there is nothing."""
    _served, good = serving_forecasts(request, forecasts)
    now = read_now(request, "evaluate", spec.dataset.timezone)
    return join_actuals(panel, good, maturity_of(spec), now) if len(good) else pd.DataFrame()


def _from_cutoff(rows: pd.DataFrame, cutoff: str | None, panel: PartedPanel) -> pd.DataFrame:
    if cutoff is None or not len(rows):
        return rows
    return rows[rows[CUTOFF].map(panel.layout.frequency.format_period) == cutoff]


def _measure(rows: pd.DataFrame, spec: Forecast) -> Mapping[str, Any]:
    """Return every metric over the rows, and how many values were scored."""
    return {**score_rows(rows, spec.model.quantiles, spec.package_metrics), "values": len(rows)}


Split = Callable[[pd.DataFrame], Iterable[tuple[Key, pd.DataFrame]]]


def _grouping(by: ErrorGrouping, series: list[str], segments: pd.DataFrame) -> tuple[list[str], Split]:
    """Return the names of the key's columns, and the function that splits rows by key."""
    if by == "all":
        return [], lambda rows: [((), rows)]
    if by == "horizon":
        return [_HORIZON], lambda rows: [((int(step),), part) for step, part in rows.groupby(LEAD, sort=True)]
    if by == "segment":
        return ["segment", "value"], lambda rows: [
            ((str(name), plain_value(value)), part)
            for name in segments.columns
            for value, part in rows.groupby(rows[ID].map(segments[name]), sort=True)
        ]
    names = {key: tuple(map(plain_value, row)) for key, *row in segments[series].itertuples(name=None)}
    return series, lambda rows: [
        (names[str(key)], part) for key, part in rows.groupby(ID, sort=True) if str(key) in names
    ]


def plain_value(value: Any) -> Any:
    """Return a value of a key as Python has it: a whole number without a fraction."""
    plain = value.item() if hasattr(value, "item") else value
    return int(plain) if isinstance(plain, float) and plain.is_integer() else plain
