"""Step `check`: reads the source, judges the data contract, and writes the panel that all later steps use."""

from __future__ import annotations

from typing import Any

from mlspec.forecast.contract import EXAMPLES, Evidence, Result, as_json, judge, spans
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME
from mlspec.forecast.frequency import grid
from mlspec.forecast.load import Rows, load_future, load_history
from mlspec.forecast.regular import ended, names, regular
from mlspec.jobs.context import layout_of, spec_of
from mlspec.jobs.files import write_json, write_table
from mlspec.jobs.moment import moment
from mlspec.state.step import Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Judge the data at `now` (RFC 3339). A broken contract is `ok` false in the facts, and leaves no panel."""
    spec = spec_of(request)
    layout = layout_of(spec)
    progress(0, 3, "read the source")
    rows = load_history(spec.dataset, request.root)
    future = load_future(spec.dataset, request.root, rows.kinds)
    if rows.frame[TARGET].notna().sum() == 0:
        return _nothing(request, rows)
    progress(1, 3, "judge the data contract")
    periods = grid(rows.frame[TIME], layout.frequency)
    evidence = Evidence(spec.dataset, rows, future, layout.frequency, periods, layout.horizon, moment(request, "check"))
    results = judge(evidence)
    span = spans(rows.frame, periods)
    newest = layout.frequency.text(periods[span.newest])
    facts = _facts(rows, results) | {
        "series": len(span.first), "start": layout.frequency.text(periods[int(span.first.min())]), "cutoff": newest,
        "missing_periods": int((span.inside + span.behind).sum()),
        "ended": _named(ended(rows, periods, layout.horizon)),
    }  # fmt: skip
    outputs = {"quality": write_json(facts, request.out / "quality.json")}
    if not facts["ok"]:
        return StepResult(outputs, facts)
    progress(2, 3, "write the panel")
    panel = regular(rows, future, periods[: span.newest + 1], layout)
    series = names(rows).merge(panel.series, on=ID)
    outputs |= {"panel": write_table(panel.frame, request.out / "panel.parquet")}
    outputs |= {"series": write_table(series, request.out / "series.parquet")}
    if layout.known:
        outputs |= {"future": write_table(panel.future, request.out / "future.parquet")}
    facts["filled"] = int((~panel.frame[OBSERVED]).sum())
    progress(3, 3, "data checked")
    return StepResult(outputs, facts)


def _facts(rows: Rows, results: list[Result]) -> dict[str, Any]:
    return {
        "ok": all(result.ok for result in results),
        "rows": rows.count,
        "bad_rows": {"count": len(rows.bad), "examples": rows.bad.head(EXAMPLES).to_dict("records")},
        "checks": as_json(results),
    }


def _nothing(request: StepRequest, rows: Rows) -> StepResult:
    """Report a source in which not one row can be used."""
    result = Result("types", False, f"none of {rows.count:,} rows has a series, a date and a value", rows.count)
    facts = _facts(rows, [result]) | {
        "series": 0,
        "start": None,
        "cutoff": None,
        "missing_periods": 0,
        "ended": _named([]),
    }
    return StepResult({"quality": write_json(facts, request.out / "quality.json")}, facts)


def _named(series: list[str]) -> dict[str, Any]:
    return {"count": len(series), "examples": series[:EXAMPLES]}
