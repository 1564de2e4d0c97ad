"""Step `check`: reads the source, checks the data contract, and writes the panel for all later steps."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mlspec.forecast.contract import (
    EXAMPLES,
    CheckResult,
    as_json,
    describe_bad_rows,
    judge_contract,
)
from mlspec.forecast.fates import list_ended_series, series_fates
from mlspec.forecast.frame import ID, OBSERVED, TARGET
from mlspec.forecast.load import TypedRows, load_future, load_history
from mlspec.forecast.named_days import add_named_days
from mlspec.forecast.regular import build_panel, series_names
from mlspec.forecast.stock.term_columns import judge_series_terms, read_series_terms, series_file_columns
from mlspec.jobs.context import panel_layout, read_spec
from mlspec.jobs.evidence import gather_evidence
from mlspec.jobs.files import write_json, write_table
from mlspec.jobs.moment import read_now
from mlspec.jobs.odd_values import judge_values
from mlspec.jobs.panel_parts import write_panel
from mlspec.state.step import Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Check the data at `now` (RFC 3339). If the contract is violated, the facts have `ok` false and no panel is written."""
    spec = read_spec(request)
    layout = panel_layout(spec)
    progress(0, 3, "read the source")
    read = load_history(spec.dataset, request.root)
    future = load_future(spec.dataset, request.root, read.kinds)
    if read.frame[TARGET].notna().sum() == 0:
        message = f"none of {read.count:,} rows has a series, a date and a value"
        nothing = CheckResult("types", False, message, read.count, describe_bad_rows(read.bad))
        return _report_no_series(request, read, [nothing])
    progress(1, 3, "check the data contract")
    now = read_now(request, "check", spec.dataset.timezone)
    evidence, notes = gather_evidence(spec.dataset, layout.horizon, read, future, now)
    if evidence is None:
        return _report_no_series(request, read, [CheckResult("types", False, "; ".join(notes), read.count)])
    rows, periods = evidence.rows, evidence.grid
    results, span = judge_contract(evidence), evidence.spans
    terms = None
    if spec.inventory is not None and spec.inventory.term_columns and len(span.first):
        terms = read_series_terms(spec.dataset, spec.inventory, request.root)
        results.append(judge_series_terms(terms, spec.inventory, span.active, layout.horizon))
    if not len(span.first):  # every value lies off the grid of the frequency, which is one of the results
        return _report_no_series(request, read, results)
    newest = layout.frequency.format_period(periods[span.newest])
    facts = _contract_facts(read, results) | {
        "series": len(span.first), "start": layout.frequency.format_period(periods[int(span.first.min())]), "cutoff": newest,
        "missing_periods": int((span.missing_inside + span.missing_behind).sum()),
        "ended": _count_and_examples([str(name) for name in span.ended]),
        "timezone": spec.dataset.timezone, "notes": list(notes),
        "fates": series_fates(rows.frame, span, periods, layout.frequency, spec.dataset, evidence.rules),
    }  # fmt: skip
    outputs = {"quality": write_json(facts, request.out / "quality.json")}
    if not facts["ok"]:
        return StepResult(outputs, facts)
    progress(2, 3, "write the panel")
    panel = build_panel(rows, evidence.future, periods[: span.newest + 1], layout, evidence.rules, span)
    panel = add_named_days(panel, spec.dataset)
    panel, odd = judge_values(panel, spec.dataset)
    facts |= odd.facts
    facts["notes"] += odd.notes
    outputs["quality"] = write_json(facts, request.out / "quality.json")
    series = series_names(rows).merge(panel.series, on=ID)
    if spec.dataset.ended_series == "zero" and len(span.ended):
        ended = list_ended_series(rows, span, periods, layout, evidence.rules)
        series = pd.concat([series, ended], ignore_index=True).sort_values(ID, ignore_index=True)
    if terms is not None:
        series = series.merge(series_file_columns(terms), on=ID, how="left")
    outputs |= write_panel(panel.frame, request.out)
    outputs |= {"series": write_table(series, request.out / "series.parquet")}
    if layout.known:
        outputs |= {"future": write_table(panel.future, request.out / "future.parquet")}
    facts["filled"] = int((~panel.frame[OBSERVED]).sum())
    if evidence.rules.absent_is_zero:
        facts["zeros"] = int(panel.frame[OBSERVED].sum()) - _count_values(rows.frame, span.active)
    progress(3, 3, "contract holds, panel written")
    return StepResult(outputs, facts)


def _contract_facts(rows: TypedRows, results: list[CheckResult]) -> dict[str, Any]:
    return {
        "ok": all(result.ok for result in results),
        "rows": rows.count,
        "bad_rows": {"count": len(rows.bad), "examples": rows.bad.head(EXAMPLES).to_dict("records")},
        "checks": as_json(results),
    }


def _report_no_series(request: StepRequest, rows: TypedRows, results: list[CheckResult]) -> StepResult:
    """Report a source without a single usable value."""
    facts = _contract_facts(rows, results) | {
        "series": 0,
        "start": None,
        "cutoff": None,
        "missing_periods": 0,
        "ended": _count_and_examples([]),
    }
    return StepResult({"quality": write_json(facts, request.out / "quality.json")}, facts)


def _count_values(rows: pd.DataFrame, series: pd.Index) -> int:
    return int(rows.loc[rows[ID].isin(series), TARGET].notna().sum())


def _count_and_examples(series: list[str]) -> dict[str, Any]:
    return {"count": len(series), "examples": series[:EXAMPLES]}
