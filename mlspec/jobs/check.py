"""Step `check`: reads the source, checks the data contract, and writes the panel for all later steps.

A large source is dealt into parts by series. Each part is read to be judged, and read again to become a part of the panel. So
memory is bounded by a part.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from mlspec.forecast.contract import (
    CheckResult,
    ContractEvidence,
    as_json,
    describe_bad_rows,
    judge_contract,
)
from mlspec.forecast.event_files import judge_event_days, read_event_files
from mlspec.forecast.fates import series_fates
from mlspec.forecast.frame import Layout
from mlspec.forecast.history_parts import load_history_parts
from mlspec.forecast.load import TypedRows, load_future
from mlspec.forecast.named_days import named_days
from mlspec.forecast.panel_rows import PanelRows, RowSurvey, plan_rows
from mlspec.forecast.row_facts import EXAMPLES, BadRows
from mlspec.forecast.segment_notes import segment_notes
from mlspec.forecast.stock.term_columns import (
    SeriesTerms,
    add_series_terms,
    judge_series_terms,
    read_series_terms,
    unknown_series_notes,
)
from mlspec.jobs.built_panel import PanelBuilder
from mlspec.jobs.context import panel_layout, read_spec
from mlspec.jobs.evidence import join_evidence, look_at_parts, notes_on_events
from mlspec.jobs.files import write_json, write_table
from mlspec.jobs.kept_results import KeptResults
from mlspec.jobs.moment import read_now
from mlspec.spec.forecast import Forecast
from mlspec.state.step import Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Check the data at `now` (RFC 3339). If the contract is violated, the facts have `ok` false and no panel is written."""
    spec = read_spec(request)
    with tempfile.TemporaryDirectory(prefix=".parts-", dir=request.out) as folder:
        return _check(request, progress, spec, Path(folder))


def _check(request: StepRequest, progress: Progress, spec: Forecast, folder: Path) -> StepResult:
    layout = panel_layout(spec)
    progress(0, 3, "read the source")
    parts = load_history_parts(spec.dataset, request.root, folder)
    future = load_future(spec.dataset, request.root, parts.kinds)
    now = read_now(request, "check", spec.dataset.timezone)
    rows = PanelRows(spec.dataset, parts, layout.frequency, now)
    survey, gathered = look_at_parts(spec.dataset, layout.horizon, rows, layout.frequency)
    if survey.read_values == 0:
        message = f"none of {survey.count:,} rows has a series, a date and a value"
        nothing = CheckResult("types", False, message, survey.count, describe_bad_rows(survey.bad.first))
        return _report_no_series(request, survey, [nothing])
    progress(1, 3, "check the data contract")
    plan = plan_rows(spec.dataset, future, layout.frequency)
    evidence, notes = join_evidence(spec.dataset, layout.horizon, rows, survey, gathered, plan, now)
    if evidence is None:
        return _report_no_series(request, survey, [CheckResult("types", False, "; ".join(notes), survey.count)])
    results, terms = judge_contract(evidence), None
    if spec.inventory is not None and spec.inventory.term_columns and len(evidence.spans.first):
        terms = read_series_terms(spec.dataset, spec.inventory, request.root)
        results.append(judge_series_terms(terms, spec.inventory, evidence.spans.active, layout.horizon))
        notes += unknown_series_notes(terms, evidence.facts.names.ids)
    events = read_event_files(spec.dataset, request.root)
    if spec.dataset.covariates.event_files:
        results.append(judge_event_days(events))
    if not len(evidence.spans.first):  # every value lies off the grid of the frequency, which is one of the results
        return _report_no_series(request, survey, results)
    notes += notes_on_events(events, evidence)
    facts = _contract_facts(survey, results) | _series_facts(evidence, layout, spec, notes)
    outputs = {"quality": write_json(facts, request.out / "quality.json")}
    if not facts["ok"]:
        return StepResult(outputs, facts)
    is_large = len(rows) > 1
    kept = KeptResults(request.kept if is_large else None)
    days = named_days(spec.dataset, events.days)
    builder = PanelBuilder(evidence, layout, days, folder=folder if is_large else None, kept=kept)
    for number in range(len(rows)):
        progress(2, 3, f"build part {number + 1} of {len(rows)}" if is_large else "write the panel")
        builder.add_part(number, partial(_read_rows, rows, number))
    odd = builder.judge_values()
    facts |= odd.facts
    facts["notes"] += [*segment_notes(builder.series, spec.dataset), *odd.notes]
    outputs["quality"] = write_json(facts, request.out / "quality.json")
    outputs |= builder.write_panel(request.out)
    outputs |= {"series": write_table(_with_terms(builder.series, terms), request.out / "series.parquet")}
    if layout.known:
        outputs |= {"future": write_table(builder.future, request.out / "future.parquet")}
    facts["filled"] = builder.filled
    facts["size"] = _panel_size(builder, layout)
    if evidence.rules.absent_is_zero:
        facts["zeros"] = builder.observed - evidence.facts.values
    progress(3, 3, "contract holds, panel written")
    return StepResult(outputs, facts)


def _series_facts(evidence: ContractEvidence, layout: Layout, spec: Forecast, notes: tuple[str, ...]) -> dict[str, Any]:
    span, periods, frequency = evidence.spans, evidence.grid.periods, layout.frequency
    return {
        "series": len(span.first), "start": frequency.format_period(periods[int(span.first.min())]),
        "cutoff": frequency.format_period(periods[span.newest]),
        "missing_periods": int((span.missing_inside + span.missing_behind).sum()),
        "ended": _count_and_examples([str(name) for name in span.ended]),
        "timezone": spec.dataset.timezone, "notes": list(notes),
        "fates": series_fates(evidence.facts, periods, frequency, spec.dataset, evidence.rules),
    }  # fmt: skip


def _read_rows(rows: PanelRows, number: int) -> TypedRows:
    return rows.read(number)[1].rows


def _panel_size(builder: PanelBuilder, layout: Layout) -> dict[str, Any]:
    """Return what `plan.run_estimate` reads: how long a backtest takes depends on it."""
    return {
        "series": builder.count_series(), "periods": builder.filled + builder.observed, "times": builder.count_times(),
        "season": layout.season, "seasons": list(layout.frequency.seasons),
    }  # fmt: skip


def _with_terms(series: pd.DataFrame, terms: SeriesTerms | None) -> pd.DataFrame:
    return series if terms is None else add_series_terms(series, terms)


def _contract_facts(survey: RowSurvey, results: list[CheckResult]) -> dict[str, Any]:
    return {
        "ok": all(result.ok for result in results),
        "rows": survey.count,
        "bad_rows": _bad_rows(survey.bad),
        "checks": as_json(results),
    }


def _bad_rows(bad: BadRows) -> dict[str, Any]:
    return {"count": bad.cells, "examples": bad.first.to_dict("records")}


def _report_no_series(request: StepRequest, survey: RowSurvey, results: list[CheckResult]) -> StepResult:
    """Report a source without a single usable value."""
    facts = _contract_facts(survey, results) | {
        "series": 0,
        "start": None,
        "cutoff": None,
        "missing_periods": 0,
        "ended": _count_and_examples([]),
    }
    return StepResult({"quality": write_json(facts, request.out / "quality.json")}, facts)


def _count_and_examples(series: list[str]) -> dict[str, Any]:
    return {"count": len(series), "examples": series[:EXAMPLES]}
