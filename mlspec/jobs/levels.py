"""The tables of the levels of a hierarchy, and of weeks: what the step `forecast` writes beside the forecast of the series."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mlspec.forecast.entrant_forecasts import CHAMPION
from mlspec.forecast.frame import CUTOFF, ID, MEAN, STEP
from mlspec.forecast.levels import (
    LevelNodes,
    SumRules,
    forecast_sums,
    level_histories,
    level_nodes,
    name_sums,
    score_level,
    week_parts,
)
from mlspec.forecast.quantiles import quantile_column
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.jobs.context import hierarchy_columns, require_input
from mlspec.jobs.files import read_chosen_rows, write_table
from mlspec.spec.calendar import DAYS as WEEKDAYS
from mlspec.spec.forecast import Forecast
from mlspec.spec.hierarchy import SERIES, Level
from mlspec.spec.output_columns import DAYS
from mlspec.state.split import series_partition, version_for
from mlspec.state.step import LEVELS, WEEKS, StepRequest


def write_levels(
    request: StepRequest, spec: Forecast, panel: PartedPanel, rows: pd.DataFrame, traffic: Mapping[str, int]
) -> dict[str, Path]:
    """Write the forecasts of the levels, and by week those of days, and return the files by role; none without a hierarchy.

    `rows` are the forecast of all series, with the user's columns, by unique_id. `traffic` has each version's share of the series.
    """
    if spec.dataset.hierarchy is None:
        return {}
    times = panel.layout.horizon_after(panel.cutoff)
    steps = times.get_indexer(rows[spec.dataset.time]) + 1
    forecast = rows.rename_axis(None).assign(**{ID: rows.index, STEP: steps}).reset_index(drop=True)
    past = _serving_errors(request, traffic)
    columns, rules = hierarchy_columns(request, spec), sum_rules(spec)
    levels = [level_nodes(level, columns) for level in spec.dataset.levels]
    nodes_of_weeks = [*levels, level_nodes(Level(SERIES, spec.dataset.series), columns)]
    histories = level_histories(panel, nodes_of_weeks, rules.coverage)
    tables: dict[str, pd.DataFrame] = {}
    if levels:
        sums = [
            (nodes, forecast_sums(forecast, past, history, nodes, rules))
            for nodes, history in zip(levels, histories[:-1], strict=True)
        ]
        tables[LEVELS] = pd.concat(
            [_table(spec, panel, found, nodes, list(times)) for nodes, found in sums], ignore_index=True
        )
    if has_weeks(spec):
        first_day = WEEKDAYS.index(spec.dataset.calendar.week_start if spec.dataset.calendar else WEEKDAYS[0])
        parts, weeks = week_parts(times, first_day)
        found_weeks = [
            _table(spec, panel, forecast_sums(forecast, past, history, nodes, rules, parts), nodes, weeks, parts)
            for nodes, history in zip(nodes_of_weeks, histories, strict=True)
        ]
        tables[WEEKS] = pd.concat(found_weeks, ignore_index=True)
    return {role: write_table(table, request.out / f"{role}.parquet") for role, table in tables.items()}


def has_weeks(spec: Forecast) -> bool:
    """Return whether a forecast has sums by week: one of days, with a hierarchy."""
    return spec.dataset.hierarchy is not None and spec.dataset.frequency in ("D", "B")


def sum_rules(spec: Forecast) -> SumRules:
    """Return how the sums of a spec are made."""
    return SumRules(spec.model.quantiles, spec.dataset.actuals.min_coverage)


def score_levels(
    request: StepRequest, spec: Forecast, panel: PartedPanel, champion: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return the accuracy of each level in a backtest; empty without a hierarchy."""
    columns = hierarchy_columns(request, spec)
    levels, rules = [level_nodes(level, columns) for level in spec.dataset.levels], sum_rules(spec)
    histories = level_histories(panel, levels, rules.coverage)
    return [score_level(champion, history, nodes, rules) for nodes, history in zip(levels, histories, strict=True)]


def _serving_errors(request: StepRequest, traffic: Mapping[str, int]) -> pd.DataFrame:
    """Return the backtest rows of what serves each series, from the cutoffs that the backtests of all versions have.

    Without such a cutoff they are those of the version that serves most.
    """
    serving = {version: share for version, share in traffic.items() if share}
    pasts = {version: _champion_rows(request, version, alone=len(serving) == 1) for version in serving}
    common = set.intersection(*(set(past[CUTOFF]) for past in pasts.values()))
    if not common:
        return pasts[max(serving, key=lambda version: (serving[version], version))]
    parts = []
    for version, past in pasts.items():
        owners = {name: version_for(series_partition(str(name)), traffic) for name in past[ID].unique()}
        parts.append(past[past[CUTOFF].isin(common) & (past[ID].map(owners) == version)])
    return pd.concat(parts, ignore_index=True)


def _champion_rows(request: StepRequest, version: str, *, alone: bool) -> pd.DataFrame:
    role = "backtest" if alone and "backtest" in request.inputs else f"backtest-{version}"
    return read_chosen_rows(require_input(request, role), lambda rows: rows[CHAMPION])


def _table(
    spec: Forecast,
    panel: PartedPanel,
    sums: pd.DataFrame,
    nodes: LevelNodes,
    times: list[pd.Timestamp],
    parts: Mapping[int, int] | None = None,
) -> pd.DataFrame:
    """Return the rows of one level, with the user's column names. `parts`: the week of each period ahead."""
    dataset = spec.dataset
    of_levels = dataset.levels[-1].columns if dataset.levels else ()
    series = [name for name in dataset.series if name not in of_levels] if parts else []
    values: dict[str, Any] = dict(name_sums(sums, nodes, (*of_levels, *series)))
    values[dataset.time] = sums[STEP].map(dict(enumerate(times, 1)))
    if parts:
        values[DAYS] = sums[STEP].map(pd.Series(list(parts.values())).value_counts())
    values |= {CUTOFF: panel.cutoff, MEAN: sums[MEAN]}
    values |= {quantile_column(q): sums[quantile_column(q)] for q in spec.model.quantiles}
    return pd.DataFrame(values)
