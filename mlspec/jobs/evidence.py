"""Gathers what the data contract is judged by, for the step `check` and for `mlspec validate --data`."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from mlspec.forecast.contract import ContractEvidence
from mlspec.forecast.event_files import EventDays, event_notes
from mlspec.forecast.frequency import Frequency
from mlspec.forecast.history_parts import HistoryParts
from mlspec.forecast.load import TypedRows
from mlspec.forecast.named_days import days_of_period
from mlspec.forecast.open_days import dataset_frequency
from mlspec.forecast.panel_rows import PanelRows, RowSurvey, join_surveys, plan_rows, survey_part
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
    survey, facts = look_at_parts(dataset, horizon, rows, frequency)
    return join_evidence(dataset, horizon, rows, survey, facts, plan_rows(dataset, plan, frequency), now)


def look_at_parts(
    dataset: Dataset, horizon: int, rows: PanelRows, frequency: Frequency
) -> tuple[RowSurvey, list[RowFacts]]:
    """Look at each part once, and return what has to be known of all rows, and the facts of the parts as far as they are true.

    The facts of a part need the periods of all series. Most often the first part has them all: then each part is read once. Where
    a later one has others, facts are left out from there on, and `join_evidence` gathers all of them anew.
    """
    rules, surveys, facts = row_rules(dataset, horizon), list[RowSurvey](), list[RowFacts]()
    guess: PeriodGrid | None = None
    for number in range(len(rows)):
        read, given = rows.read(number)
        surveys.append(survey_part(read, given))
        if len(facts) < number:
            continue
        grid = join_surveys(surveys).find_grid(frequency)
        guess = guess or grid
        if grid is not None and grid.is_same(guess):
            facts.append(row_facts(dataset, read, given.rows, grid, rules))
    return join_surveys(surveys), facts


def join_evidence(
    dataset: Dataset, horizon: int, rows: PanelRows, survey: RowSurvey, facts: list[RowFacts],
    plan: TypedRows | None, now: pd.Timestamp,
) -> tuple[ContractEvidence | None, tuple[str, ...]]:  # fmt: skip
    """Return what the contract is judged by, or None if no row is left, and sentences on rows, series and values."""
    grid = survey.find_grid(dataset_frequency(dataset))
    if grid is None:
        return None, tuple(map(str, survey.notes))
    if len(facts) < len(rows):
        rules = row_rules(dataset, horizon)
        parts = (rows.read(number) for number in range(len(rows)))
        facts = [row_facts(dataset, read, given.rows, grid, rules) for read, given in parts]
    newest = None if survey.valued.empty else survey.valued.max()
    whole = join_facts(facts)
    evidence = ContractEvidence(dataset, whole, grid, survey.dates, newest, plan, horizon, now)
    of_plan = evidence.coverage.notes() if evidence.coverage is not None else ()
    sparse = sparse_notes(whole.spans, only_sales=whole.only_sales) if dataset.missing == "unknown" else ()
    return evidence, (*map(str, survey.notes), *sparse, *of_plan, *twin_notes(whole.names))


def notes_on_events(found: EventDays, evidence: ContractEvidence) -> tuple[str, ...]:
    """Return sentences on the files of events, beside the history and the horizon of the rows."""
    span, grid = evidence.spans, evidence.grid
    frequency, newest = grid.frequency, grid.periods[span.newest]
    last = frequency.periods_after(newest, evidence.horizon)[-1]
    first_day, _ = days_of_period(grid.periods[int(span.first.min())], frequency)
    (_, after_history), (_, after_horizon) = days_of_period(newest, frequency), days_of_period(last, frequency)
    day = timedelta(days=1)
    return event_notes(found, (first_day, after_history - day), after_horizon - day)
