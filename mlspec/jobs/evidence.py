"""Gathers what the data contract is judged by, for the step `check` and for `mlspec validate --data`."""

from __future__ import annotations

import pandas as pd

from mlspec.forecast.contract import ContractEvidence
from mlspec.forecast.frame import TIME
from mlspec.forecast.frequency import period_grid
from mlspec.forecast.load import TypedRows
from mlspec.forecast.open_days import dataset_frequency
from mlspec.forecast.panel_rows import panel_rows, plan_rows
from mlspec.forecast.plan_coverage import twin_notes
from mlspec.forecast.proposals import sparse_notes
from mlspec.spec.dataset import Dataset


def gather_evidence(
    dataset: Dataset, horizon: int, read: TypedRows, plan: TypedRows | None, now: pd.Timestamp
) -> tuple[ContractEvidence | None, tuple[str, ...]]:
    """Return what the contract is judged by, or None if no row is left, and sentences on rows, series and values.

    `read` are the rows of the source, `plan` those of the known covariates; `now` is what the dataset's clocks show.
    """
    frequency = dataset_frequency(dataset)
    given = panel_rows(dataset, read, frequency, now)
    if given.rows.frame.empty:
        return None, given.notes
    periods = period_grid(given.rows.frame[TIME], frequency)
    planned = plan_rows(dataset, plan, frequency)
    evidence = ContractEvidence(dataset, read, given.rows, planned, frequency, periods, horizon, now)
    of_plan = evidence.coverage.notes() if evidence.coverage is not None else ()
    sparse = sparse_notes(given.rows.frame, evidence.spans) if dataset.missing == "unknown" else ()
    return evidence, (*given.notes, *sparse, *of_plan, *twin_notes(read))
