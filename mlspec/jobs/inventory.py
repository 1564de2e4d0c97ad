"""Step `inventory`: stock levels of every series, from the forecast and the errors of the backtest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.errors import ModelError, UsageError
from mlspec.forecast.entrant_forecasts import CHAMPION
from mlspec.forecast.frame import CANDIDATE, CUTOFF, ID, MEAN, STEP, TARGET
from mlspec.forecast.load import number_series
from mlspec.forecast.reading.column import text_column
from mlspec.forecast.scales import SCALE, series_scales
from mlspec.forecast.selection import FLOOR
from mlspec.forecast.stock.classes import demand_classes
from mlspec.forecast.stock.levels import FORMULAS, StockLevels, measure_errors, needed_errors, stock_levels
from mlspec.forecast.stock.origins import Array, Codes, past_forecasts
from mlspec.forecast.stock.simulation import simulate_policies
from mlspec.forecast.stock.terms import OrderTerms, order_terms
from mlspec.forecast.stock.unsold import first_sales, level_scales
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.jobs.context import ended_series, forecast_names, read_spec, require_input, series_terms
from mlspec.jobs.files import read_arrow, read_chosen_rows, write_table
from mlspec.jobs.moment import panel_as_of
from mlspec.jobs.parted_panel import open_panel
from mlspec.spec.forecast import Forecast
from mlspec.spec.inventory import Inventory
from mlspec.state.step import Progress, StepRequest, StepResult

# What the simulation compares with: the label of the baseline, where it is a candidate of the spec.
BASELINE = "seasonal-naive"
PAST_COLUMNS = (ID, CANDIDATE, CHAMPION, CUTOFF, STEP, TARGET, MEAN, SCALE)  # of the backtest


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Compute the stock levels for the spec's `inventory`; with the option `as_of` (RFC 3339), from what was known then."""
    spec = read_spec(request)
    if spec.inventory is None:
        raise UsageError("the spec has no inventory", hint="add inventory: {service_level: 0.95, lead_time: 2}")
    panel = panel_as_of(request, open_panel(request, spec), spec.dataset.timezone)
    progress(0, 2, "compute the stock levels")
    past = read_chosen_rows(require_input(request, "backtest"), _mark_compared, PAST_COLUMNS, coded=[ID, CANDIDATE])
    forecast = _read_forecast(request, spec)
    ended = ended_series(request, panel.cutoff)
    series = pd.Index(np.sort(forecast.series[~forecast.series.isin(ended)].to_numpy()), name=ID)
    own = series_terms(request, spec.inventory)
    terms = order_terms(spec.inventory, series, own)
    stock = _Stock(spec, spec.inventory, panel, series, terms, first_sales(panel, series))
    _refuse_beyond_horizon(stock)
    levels, samples = _compute_levels(stock, past, forecast)
    table = add_zero_stock(pd.DataFrame({ID: series, **asdict(levels)}), ended)
    if own is not None:  # also of ended series; one that the table of terms lacks has none
        table = table.merge(own.fillna(0.0).reset_index(), on=ID, how="left")
    names = forecast_names(request, spec).reindex(table[ID]).reset_index(drop=True)
    out = pd.concat([names, table.drop(columns=ID)], axis=1)
    progress(1, 2, "simulate the stock on the backtest")
    facts = {
        "protection_periods": _as_range(stock.terms.protection), "service_level": spec.inventory.service_level,
        "service": spec.inventory.service, "policy": spec.inventory.policy, "formula": FORMULAS[spec.inventory.policy],
        "samples": samples, "series": len(out), "simulation": _simulate(stock, past),
    }  # fmt: skip
    progress(2, 2, "stock levels set")
    return StepResult({"inventory": write_table(out, request.out / "inventory.parquet")}, facts)


def _mark_compared(rows: pa.Table) -> pa.Array:
    """Return which rows of a backtest are of the champion or of a baseline."""
    return pc.or_(rows[CHAMPION], pc.is_in(rows[CANDIDATE], pa.array([FLOOR, BASELINE])))


@dataclass(frozen=True)
class _Stock:
    """What levels are computed for: the series, in order, the terms of each, and the first period in which it sold anything."""

    spec: Forecast
    inventory: Inventory
    panel: PartedPanel
    series: pd.Index
    terms: OrderTerms
    first_sale: npt.NDArray[np.datetime64]


def _refuse_beyond_horizon(stock: _Stock) -> None:
    longest, horizon = stock.terms.protection.max(initial=0), stock.panel.layout.horizon
    if longest > horizon:
        raise ModelError(
            f"inventory: lead_time and review_period are {longest:g} periods, and model.horizon is only {horizon}",
            hint=f"set model.horizon to {int(np.ceil(longest))} or more",
        )


def _compute_levels(stock: _Stock, past: pd.DataFrame, forecast: _NumberedMeans) -> tuple[StockLevels, int]:
    """Return the levels, and how many past errors they are computed from."""
    champion = past_forecasts(past[past[CHAMPION]], stock.series, stock.panel.layout.horizon, stock.first_sale)
    classes, need = demand_classes(stock.panel, stock.series), needed_errors(stock.inventory.service_level)
    errors = measure_errors(champion, stock.terms, classes, need)
    means = _forecast_means(forecast, stock)
    scale = level_scales(_scales_now(stock), ~np.isnat(stock.first_sale), means)
    return stock_levels(means, scale, errors, stock.terms, stock.inventory), errors.count


def _simulate(stock: _Stock, past: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what each policy would have reached over the backtest, by the champion's forecast and by the baseline's.

    Classes of demand are those of the history before the first cutoff, as all else that levels are computed from.
    """
    classes = demand_classes(stock.panel.known_at(past[CUTOFF].min()), stock.series)
    found = []
    for name, rows in _compared_forecasts(past).items():
        forecasts = past_forecasts(rows, stock.series, stock.panel.layout.horizon, stock.first_sale)
        outcomes = simulate_policies(forecasts, stock.terms, classes, stock.inventory, stock.spec.model.seed)
        found += [{"candidate": name, **asdict(outcome)} for outcome in outcomes]
    return found


def _compared_forecasts(past: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of the champion and those of the baseline, by name; one, if the champion is seasonal naive itself."""
    floor = FLOOR if (past[CANDIDATE] == FLOOR).any() else BASELINE
    champion = past[past[CHAMPION]]
    name = str(champion[CANDIDATE].iloc[0])
    baseline = past[past[CANDIDATE] == floor]
    return {name: champion} | ({} if name == BASELINE or baseline.empty else {BASELINE: baseline})


def _as_range(periods: Array) -> float | str:
    """Return the number of periods if all series have the same, or else from which to which they differ."""
    low, high = periods.min(initial=np.inf), periods.max(initial=0.0)
    if low < high:
        return f"{low:g} to {high:g}"
    return int(high) if high == int(high) else float(high)


def _forecast_means(forecast: _NumberedMeans, stock: _Stock) -> Array:
    """Return the forecast of each series, a column a period ahead."""
    places, horizon = stock.series.get_indexer(forecast.series)[forecast.codes], stock.panel.layout.horizon
    means = np.full((len(stock.series), horizon), np.nan)
    inside = (places >= 0) & (forecast.steps < horizon)
    means[places[inside], forecast.steps[inside]] = forecast.means[inside]
    return means


def _scales_now(stock: _Stock) -> Array:
    return series_scales(stock.panel).set_index(ID)[SCALE].reindex(stock.series).to_numpy(dtype="float64")


def add_zero_stock(table: pd.DataFrame, ended: pd.Index) -> pd.DataFrame:
    """Return the stock levels with those of series that have ended: nothing is sold, and nothing has to be there."""
    if not len(ended):
        return table
    levels = [name for name in table if name != ID]
    zeros = pd.DataFrame({ID: ended}).assign(**dict.fromkeys(levels, 0.0))
    return pd.concat([table, zeros], ignore_index=True).sort_values(ID, ignore_index=True)


@dataclass(frozen=True)
class _NumberedMeans:
    """The means of a forecast: for each row the number of its series and of its period ahead, from 0 on; `series` by number."""

    series: pd.Index
    codes: Codes
    steps: Codes
    means: Array


def _read_forecast(request: StepRequest, spec: Forecast) -> _NumberedMeans:
    """Return the means of the input forecast."""
    table = read_arrow(require_input(request, "forecast"), [*spec.dataset.series, spec.dataset.time, "mean"])
    codes, ids = number_series([text_column(table[name]) for name in spec.dataset.series], len(table))
    steps = table[spec.dataset.time].to_pandas().groupby(codes).rank(method="first").to_numpy("int64") - 1
    return _NumberedMeans(pd.Index(ids), codes, steps, table["mean"].to_numpy())
