"""Step `inventory`: stock levels of every series, from the forecast and the errors of the backtest."""

from __future__ import annotations

import pandas as pd

from mlspec.errors import UsageError
from mlspec.forecast.frame import ID, MEAN
from mlspec.forecast.inventory import FORMULA, add_zero_stock, protection_periods, stock_levels
from mlspec.forecast.load import join_ids
from mlspec.forecast.quantiles import STEP
from mlspec.forecast.scales import series_scales
from mlspec.forecast.selection import CHAMPION
from mlspec.jobs.context import ended_series, forecast_names, read_panel, read_spec, require_input
from mlspec.jobs.files import read_table, write_table
from mlspec.jobs.moment import panel_as_of
from mlspec.spec.forecast import Forecast
from mlspec.state.step import Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Compute the stock levels for the spec's `inventory`; with the option `as_of` (RFC 3339), from what was known then."""
    spec = read_spec(request)
    if spec.inventory is None:
        raise UsageError("the spec has no inventory", hint="add inventory: {service_level: 0.95, lead_time: 2}")
    panel = panel_as_of(request, read_panel(request, spec), spec.dataset.timezone)
    periods = protection_periods(spec.inventory, panel.layout.horizon)
    progress(0, 1, "compute the stock levels")
    past, forecast = read_table(require_input(request, "backtest")), _read_forecast(request, spec)
    ended = ended_series(request, panel.cutoff)
    stock = stock_levels(
        forecast=forecast[~forecast[ID].isin(ended)],
        backtest=past[past[CHAMPION]],
        scale=series_scales(panel),
        inventory=spec.inventory,
        horizon=panel.layout.horizon,
    )
    table = add_zero_stock(stock.table, ended)
    names = forecast_names(request, spec).reindex(table[ID]).reset_index(drop=True)
    out = pd.concat([names, table.drop(columns=ID)], axis=1)
    progress(1, 1, "stock levels set")
    facts = {
        "protection_periods": periods, "service_level": spec.inventory.service_level, "samples": stock.samples,
        "series": len(out), "formula": FORMULA,
    }  # fmt: skip
    return StepResult({"inventory": write_table(out, request.out / "inventory.parquet")}, facts)


def _read_forecast(request: StepRequest, spec: Forecast) -> pd.DataFrame:
    """Return unique_id, h, mean of the input forecast."""
    forecast = read_table(require_input(request, "forecast"))
    ids = join_ids([forecast[name] for name in spec.dataset.series], forecast.index)
    step = forecast.groupby(ids, sort=False)[spec.dataset.time].rank(method="first").astype("int64")
    return pd.DataFrame({ID: ids, STEP: step, MEAN: forecast["mean"]})
