"""Step `check`: reads the source, checks the data contract, and writes the panel for all later steps."""

from __future__ import annotations

from typing import Any

from mlspec.forecast.contract import EXAMPLES, CheckResult, ContractEvidence, as_json, judge_contract, series_spans
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME
from mlspec.forecast.frequency import period_grid
from mlspec.forecast.load import TypedRows, load_future, load_history
from mlspec.forecast.regular import build_panel, ended_series, series_names
from mlspec.jobs.context import panel_layout, read_spec
from mlspec.jobs.files import write_json, write_table
from mlspec.jobs.moment import read_now
from mlspec.state.step import Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Check the data at `now` (RFC 3339). If the contract is violated, the facts have `ok` false and no panel is written."""
    spec = read_spec(request)
    layout = panel_layout(spec)
    progress(0, 3, "read the source")
    rows = load_history(spec.dataset, request.root)
    future = load_future(spec.dataset, request.root, rows.kinds)
    if rows.frame[TARGET].notna().sum() == 0:
        return _report_no_rows(request, rows)
    progress(1, 3, "check the data contract")
    periods = period_grid(rows.frame[TIME], layout.frequency)
    evidence = ContractEvidence(
        spec.dataset, rows, future, layout.frequency, periods, layout.horizon, read_now(request, "check")
    )
    results = judge_contract(evidence)
    span = series_spans(rows.frame, periods)
    newest = layout.frequency.format_period(periods[span.newest])
    facts = _contract_facts(rows, results) | {
        "series": len(span.first), "start": layout.frequency.format_period(periods[int(span.first.min())]), "cutoff": newest,
        "missing_periods": int((span.missing_inside + span.missing_behind).sum()),
        "ended": _count_and_examples(ended_series(rows, periods, layout.horizon)),
    }  # fmt: skip
    outputs = {"quality": write_json(facts, request.out / "quality.json")}
    if not facts["ok"]:
        return StepResult(outputs, facts)
    progress(2, 3, "write the panel")
    panel = build_panel(rows, future, periods[: span.newest + 1], layout)
    series = series_names(rows).merge(panel.series, on=ID)
    outputs |= {"panel": write_table(panel.frame, request.out / "panel.parquet")}
    outputs |= {"series": write_table(series, request.out / "series.parquet")}
    if layout.known:
        outputs |= {"future": write_table(panel.future, request.out / "future.parquet")}
    facts["filled"] = int((~panel.frame[OBSERVED]).sum())
    progress(3, 3, "data checked")
    return StepResult(outputs, facts)


def _contract_facts(rows: TypedRows, results: list[CheckResult]) -> dict[str, Any]:
    return {
        "ok": all(result.ok for result in results),
        "rows": rows.count,
        "bad_rows": {"count": len(rows.bad), "examples": rows.bad.head(EXAMPLES).to_dict("records")},
        "checks": as_json(results),
    }


def _report_no_rows(request: StepRequest, rows: TypedRows) -> StepResult:
    """Report a source without a single usable row."""
    result = CheckResult("types", False, f"none of {rows.count:,} rows has a series, a date and a value", rows.count)
    facts = _contract_facts(rows, [result]) | {
        "series": 0,
        "start": None,
        "cutoff": None,
        "missing_periods": 0,
        "ended": _count_and_examples([]),
    }
    return StepResult({"quality": write_json(facts, request.out / "quality.json")}, facts)


def _count_and_examples(series: list[str]) -> dict[str, Any]:
    return {"count": len(series), "examples": series[:EXAMPLES]}
