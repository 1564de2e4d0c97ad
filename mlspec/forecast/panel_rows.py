"""Makes the rows of the panel from the rows of the source, as `dataset` says what they mean."""

from __future__ import annotations

import pandas as pd

from mlspec.forecast.aggregate import AggregatedRows, aggregate_rows, join_plan_rows
from mlspec.forecast.available import hide_unavailable
from mlspec.forecast.frequency import Frequency
from mlspec.forecast.load import TypedRows
from mlspec.forecast.open_days import leave_out_closed
from mlspec.forecast.zones import join_repeated_hours
from mlspec.spec.dataset import Dataset


def panel_rows(dataset: Dataset, rows: TypedRows, frequency: Frequency, now: pd.Timestamp) -> AggregatedRows:
    """Return the rows of the panel at `now` (as the dataset's clocks show it), and sentences on the rows that are left out."""
    if dataset.aggregate is not None:
        given = aggregate_rows(rows, frequency, dataset.aggregate, now)
    elif dataset.timezone is not None and not frequency.is_daily:
        given = AggregatedRows(*join_repeated_hours(rows, dataset.timezone))
    else:
        given = AggregatedRows(rows)
    open_rows, notes = leave_out_closed(given.rows, frequency)
    sold, told = hide_unavailable(open_rows)
    return AggregatedRows(sold, (*given.notes, *notes, *told))


def plan_rows(dataset: Dataset, plan: TypedRows | None, frequency: Frequency) -> TypedRows | None:
    """Return the rows of the plan of known covariates, one for each period if rows are aggregated."""
    return plan if plan is None or dataset.aggregate is None else join_plan_rows(plan, frequency)
