"""Step `inventory`: stock levels of every series, from the forecast and the errors of the backtest."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd

from mlspec.errors import ModelError, UsageError
from mlspec.forecast.frame import ID, MEAN, Panel
from mlspec.forecast.load import join_ids
from mlspec.forecast.quantiles import STEP
from mlspec.forecast.scales import SCALE, series_scales
from mlspec.forecast.selection import CHAMPION
from mlspec.forecast.stock.classes import demand_classes
from mlspec.forecast.stock.levels import FORMULAS, measure_errors, needed_errors, stock_levels
from mlspec.forecast.stock.origins import Array, past_forecasts
from mlspec.forecast.stock.terms import OrderTerms, order_terms
from mlspec.jobs.context import ended_series, forecast_names, read_panel, read_spec, require_input
from mlspec.jobs.files import read_table, write_table
from mlspec.jobs.moment import panel_as_of
from mlspec.spec.forecast import Forecast
from mlspec.spec.inventory import Inventory
from mlspec.state.step import Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Compute the stock levels for the spec's `inventory`; with the option `as_of` (RFC 3339), from what was known then."""
    spec = read_spec(request)
    if spec.inventory is None:
        raise UsageError("the spec has no inventory", hint="add inventory: {service_level: 0.95, lead_time: 2}")
    panel = panel_as_of(request, read_panel(request, spec), spec.dataset.timezone)
    progress(0, 1, "compute the stock levels")
    past, forecast = read_table(require_input(request, "backtest")), _read_forecast(request, spec)
    ended = ended_series(request, panel.cutoff)
    series = pd.Index(np.sort(forecast.loc[~forecast[ID].isin(ended), ID].unique()), name=ID)
    terms = order_terms(spec.inventory, len(series))
    _refuse_beyond_horizon(terms, spec.inventory, panel.layout.horizon)
    errors = measure_errors(
        past_forecasts(past[past[CHAMPION]], series, panel.layout.horizon),
        terms,
        demand_classes(panel, series),
        needed_errors(spec.inventory.service_level),
    )
    levels = stock_levels(
        _forecast_means(forecast, series, panel), _scales_now(panel, series), errors, terms, spec.inventory
    )
    table = add_zero_stock(pd.DataFrame({ID: series, **asdict(levels)}), ended)
    names = forecast_names(request, spec).reindex(table[ID]).reset_index(drop=True)
    out = pd.concat([names, table.drop(columns=ID)], axis=1)
    progress(1, 1, "stock levels set")
    facts = {
        "protection_periods": _as_range(terms.protection), "service_level": spec.inventory.service_level,
        "samples": errors.count, "series": len(out), "formula": FORMULAS[spec.inventory.policy],
        "service": spec.inventory.service, "policy": spec.inventory.policy,
    }  # fmt: skip
    return StepResult({"inventory": write_table(out, request.out / "inventory.parquet")}, facts)


def _refuse_beyond_horizon(terms: OrderTerms, inventory: Inventory, horizon: int) -> None:
    longest = terms.protection.max(initial=0)
    if longest > horizon:
        raise ModelError(
            f"inventory: lead_time {inventory.mean_lead_time:g} + review_period {inventory.review_period} is {longest:g} periods, "
            f"and model.horizon is only {horizon}",
            hint=f"set model.horizon to {int(np.ceil(longest))} or more",
        )


def _as_range(periods: Array) -> float | str:
    """Return the number of periods if all series have the same, or else from which to which they differ."""
    low, high = periods.min(initial=np.inf), periods.max(initial=0.0)
    if low < high:
        return f"{low:g} to {high:g}"
    return int(high) if high == int(high) else float(high)


def _forecast_means(forecast: pd.DataFrame, series: pd.Index, panel: Panel) -> Array:
    """Return the forecast of each of these series, a column a period ahead."""
    means = forecast.pivot_table(index=ID, columns=STEP, values=MEAN, sort=True)
    return means.reindex(index=series, columns=range(1, panel.layout.horizon + 1)).to_numpy(dtype="float64")


def _scales_now(panel: Panel, series: pd.Index) -> Array:
    return series_scales(panel).set_index(ID)[SCALE].reindex(series).to_numpy(dtype="float64")


def add_zero_stock(table: pd.DataFrame, ended: pd.Index) -> pd.DataFrame:
    """Return the stock levels with those of series that have ended: nothing is sold, and nothing has to be there."""
    if not len(ended):
        return table
    levels = [name for name in table if name != ID]
    zeros = pd.DataFrame({ID: ended}).assign(**dict.fromkeys(levels, 0.0))
    return pd.concat([table, zeros], ignore_index=True).sort_values(ID, ignore_index=True)


def _read_forecast(request: StepRequest, spec: Forecast) -> pd.DataFrame:
    """Return unique_id, h, mean of the input forecast."""
    forecast = read_table(require_input(request, "forecast"))
    ids = join_ids([forecast[name] for name in spec.dataset.series], forecast.index)
    step = forecast.groupby(ids, sort=False)[spec.dataset.time].rank(method="first").astype("int64")
    return pd.DataFrame({ID: ids, STEP: step, MEAN: forecast["mean"]})
