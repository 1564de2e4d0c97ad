"""Gathers what the data contract is judged by, for the step `check` and for `mlspec validate --data`."""

from __future__ import annotations

import pandas as pd

from mlspec.forecast.contract import ContractEvidence
from mlspec.forecast.history_parts import HistoryParts
from mlspec.forecast.load import TypedRows
from mlspec.forecast.open_days import dataset_frequency
from mlspec.forecast.panel_rows import PanelRows, RowSurvey, plan_rows, survey_rows
from mlspec.forecast.plan_coverage import twin_notes
from mlspec.forecast.proposals import sparse_notes
from mlspec.forecast.row_facts import PeriodGrid, RowFacts, join_facts, row_facts
from mlspec.forecast.spans import row_rules
from mlspec.spec.dataset import Dataset


def gather_evidence(
    dataset: Dataset, horizon: int, read: TypedRows, plan: TypedRows | None, now: pd.Timestamp
) -> tuple[ContractEvidence | None, tuple[str, ...]]:
    """Return what the contract is judged by, or None if no row is left, and sentences on rows, series and values.

    `read` are the rows of the source, `plan` those of the known covariates; `now` is what the dataset's clocks show.
    """
    frequency = dataset_frequency(dataset)
    rows = PanelRows(dataset, HistoryParts.of(read), frequency, now)
    survey = survey_rows(rows)
    grid = survey.find_grid(frequency)
    if grid is None:
        return None, tuple(map(str, survey.notes))
    rules = row_rules(dataset, horizon)
    read_part, given = rows.read(0)
    facts = row_facts(dataset, read_part, given.rows, grid, rules)
    return join_evidence(dataset, horizon, survey, grid, [facts], plan_rows(dataset, plan, frequency), now)


def join_evidence(
    dataset: Dataset, horizon: int, survey: RowSurvey, grid: PeriodGrid, facts: list[RowFacts],
    plan: TypedRows | None, now: pd.Timestamp,
) -> tuple[ContractEvidence, tuple[str, ...]]:  # fmt: skip
    """Return what the contract is judged by from the facts of each part, and sentences on rows, series and values."""
    newest = None if survey.valued.empty else survey.valued.max()
    whole = join_facts(facts)
    evidence = ContractEvidence(dataset, whole, grid, survey.dates, newest, plan, horizon, now)
    of_plan = evidence.coverage.notes() if evidence.coverage is not None else ()
    sparse = sparse_notes(whole.spans, only_sales=whole.only_sales) if dataset.missing == "unknown" else ()
    return evidence, (*map(str, survey.notes), *sparse, *of_plan, *twin_notes(whole.names))
