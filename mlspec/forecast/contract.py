"""The data contract: the checks that rows must pass before a model is trained on them, and a report of the violations.

There are built-in checks (types, unique keys, frequency, gaps, static columns, the plan of known covariates) and those of the spec
(completeness, freshness, range, series). Each is a function of the rows and does not change them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mlspec.forecast.frame import ID, PREFIX, TARGET, TIME
from mlspec.forecast.frequency import Frequency
from mlspec.forecast.load import CHECK, TypedRows
from mlspec.spec.duration import format_duration
from mlspec.spec.forecast import Dataset

EXAMPLES = 10  # most examples for one failed check


@dataclass(frozen=True)
class ContractEvidence:
    """The input of the checks. `grid` holds every period from the first to the newest; `now` is UTC without a time zone."""

    dataset: Dataset
    rows: TypedRows
    future: TypedRows | None
    frequency: Frequency
    grid: pd.DatetimeIndex
    horizon: int
    now: pd.Timestamp


@dataclass(frozen=True)
class CheckResult:
    """The result of one check: a sentence, the number of violations and some examples."""

    check: str
    ok: bool
    message: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


def judge_contract(evidence: ContractEvidence) -> list[CheckResult]:
    """Run every check that applies, in the table's order."""
    results = [check(evidence) for check in CHECKS]
    return [result for result in results if result is not None]


def as_json(results: Iterable[CheckResult]) -> list[dict[str, Any]]:
    """Return results as JSON values."""
    return [asdict(result) for result in results]


def _check_types(evidence: ContractEvidence) -> CheckResult:
    bad = evidence.rows.bad
    if bad.empty:
        return CheckResult("types", True, f"all {evidence.rows.count:,} rows can be read")
    examples = [_describe_bad_row(row) for row in bad.head(EXAMPLES).to_dict("records")]
    rows = len(bad[["file", "row"]].drop_duplicates())
    return CheckResult(
        "types", False, f"{rows:,} of {evidence.rows.count:,} rows hold a value that cannot be used", rows, examples
    )


def _describe_bad_row(row: dict[str, Any]) -> str:
    location = f"{row['file']} row {row['row']}"
    return (
        f"{location}: {row['column']} '{row['value']}' {row['problem']}"
        if row["column"]
        else f"{location}: {row['problem']}"
    )


def _check_keys(evidence: ContractEvidence) -> CheckResult:
    rows = evidence.rows.frame
    twice = rows[rows.duplicated([ID, TIME], keep=False)].sort_values([ID, TIME, "row"])
    if twice.empty:
        return CheckResult("keys", True, "each series has each period once")
    pairs = list(twice.groupby([ID, TIME], sort=True))
    examples = [
        f"series '{name}' has {evidence.frequency.format_period(time)} in rows {', '.join(map(str, group['row'].head(5)))}"
        for (name, time), group in pairs[:EXAMPLES]
    ]
    return CheckResult("keys", False, f"{len(pairs):,} periods occur more than once in a series", len(pairs), examples)


def _check_frequency(evidence: ContractEvidence) -> CheckResult:
    rows, freq = evidence.rows.frame, evidence.frequency
    off = rows[~rows[TIME].isin(evidence.grid)]
    if off.empty:
        return CheckResult("frequency", True, f"every date belongs to {freq.alias}")
    examples = [
        f"{file} row {row}: {freq.format_period(time)} ({time.day_name()})"
        for file, row, time in off[["file", "row", TIME]].head(EXAMPLES).itertuples(index=False)
    ]
    return CheckResult(
        "frequency", False, f"{len(off):,} rows have a date that does not belong to {freq.alias}", len(off), examples
    )


@dataclass(frozen=True)
class SeriesSpans:
    """By series: the grid positions of the first and last period with a value, and the number of periods with a value."""

    first: pd.Series
    last: pd.Series
    present: pd.Series
    newest: int

    @property
    def missing_inside(self) -> pd.Series:
        """Number of periods without a value between a series' first and last row."""
        return self.last - self.first + 1 - self.present

    @property
    def missing_behind(self) -> pd.Series:
        """Number of periods between a series' last row and the newest period of all series."""
        return self.newest - self.last


def series_spans(rows: pd.DataFrame, grid: pd.DatetimeIndex) -> SeriesSpans:
    """Return the spans of all series that have a value. A row without a target value counts as missing."""
    present = rows[rows[TARGET].notna() & rows[TIME].isin(grid)].drop_duplicates([ID, TIME])
    where = pd.Series(grid.get_indexer(present[TIME]), index=present.index).groupby(present[ID])
    last = where.max()
    return SeriesSpans(where.min(), last, where.size(), int(last.max()) if len(last) else 0)


def _check_completeness(evidence: ContractEvidence) -> CheckResult:
    """Check the gaps. Without `completeness` no gap is allowed, except trailing ones if `series.max_missing` is set."""
    checks, span = evidence.dataset.checks, series_spans(evidence.rows.frame, evidence.grid)
    behind_excluded = (
        checks.completeness is None and checks.series is not None and checks.series.max_missing is not None
    )
    missing = span.missing_inside + (0 if behind_excluded else span.missing_behind)
    expected = int((span.present + missing).sum())
    lacking, share = int(missing.sum()), 1 - missing.sum() / max(expected, 1)
    least = checks.completeness.min if checks.completeness else 1.0
    if lacking == 0:
        return CheckResult("gaps", True, f"no period is missing in {len(span.first):,} series")
    worst = missing[missing > 0].sort_values(ascending=False, kind="stable")
    examples = [
        _describe_gap(evidence, name, int(span.first[name]), lacks) for name, lacks in worst.head(EXAMPLES).items()
    ]
    missed = f"{lacking:,} of {expected:,} periods have no value in {len(worst):,} series"
    message = f"{missed} ({share:.2%} have one, {least:.2%} must)"
    if share >= least:
        return CheckResult("gaps", True, f"{message}; each gap is filled and is not scored", lacking, examples)
    return CheckResult("gaps", False, message, lacking, examples)


def _describe_gap(evidence: ContractEvidence, name: object, first: int, lacks: int) -> str:
    rows, grid = evidence.rows.frame, evidence.grid
    present_periods = rows.loc[(rows[ID] == name) & rows[TARGET].notna(), TIME]
    absent_periods = grid[first:].difference(pd.DatetimeIndex(present_periods))
    return f"series '{name}' lacks {lacks:,}, the first {evidence.frequency.format_period(absent_periods[0])}"


def _check_freshness(evidence: ContractEvidence) -> CheckResult | None:
    freshness = evidence.dataset.checks.freshness
    if freshness is None:
        return None
    newest = evidence.rows.frame.loc[evidence.rows.frame[TARGET].notna(), TIME].max()
    age = evidence.now - evidence.frequency.period_end(newest)
    message = f"the newest period is {evidence.frequency.format_period(newest)}, {max(age.days, 0)} days old"
    limit = f"at most {format_duration(freshness.max_age)} is allowed"
    return CheckResult("freshness", age <= freshness.max_age, f"{message}; {limit}", int(age > freshness.max_age))


def _check_range(evidence: ContractEvidence) -> CheckResult | None:
    limits, rows = evidence.dataset.checks.range, evidence.rows.frame
    if not limits:
        return None
    examples, count = [], 0
    for name, limit in limits.items():
        values = rows[CHECK + name]
        low, high = -np.inf if limit.min is None else limit.min, np.inf if limit.max is None else limit.max
        outside = rows[(values < low) | (values > high)]
        count += len(outside)
        examples += [
            f"{file} row {row}: {name} {value:g} is outside {_format_interval(limit.min, limit.max)}"
            for file, row, value in outside[["file", "row", CHECK + name]].head(EXAMPLES).itertuples(index=False)
        ]
    message = (
        f"{count:,} values lie outside their range" if count else f"all values of {', '.join(limits)} are in range"
    )
    return CheckResult("range", not count, message, count, examples[:EXAMPLES])


def _format_interval(low: float | None, high: float | None) -> str:
    return f"{'-inf' if low is None else format(low, 'g')} to {'inf' if high is None else format(high, 'g')}"


def _check_series(evidence: ContractEvidence) -> CheckResult | None:
    series_check = evidence.dataset.checks.series
    if series_check is None:
        return None
    span = series_spans(evidence.rows.frame, evidence.grid)
    count, behind = len(span.first), span.missing_behind[span.missing_behind > 0]
    few = series_check.min is not None and count < series_check.min
    late = series_check.max_missing is not None and len(behind) > series_check.max_missing * count
    messages = [f"{count:,} series" + (f", at least {series_check.min:,} are required" if few else "")]
    if len(behind):
        messages.append(
            f"{len(behind):,} of them lack the newest period"
            + (f", and at most {series_check.max_missing:.1%} may" if late else "")
        )
    examples = [
        f"series '{name}' ends {lag:,} periods before the newest" for name, lag in behind.head(EXAMPLES).items()
    ]
    return CheckResult("series", not (few or late), "; ".join(messages), len(behind), examples)


def _check_static(evidence: ContractEvidence) -> CheckResult | None:
    columns = evidence.dataset.covariates.static
    if not columns:
        return None
    rows, examples, count = evidence.rows.frame, [], 0
    for name in columns:
        values = rows[[ID, PREFIX + name]].drop_duplicates()
        moving = values[values[ID].duplicated(keep=False)].groupby(ID, sort=True)[PREFIX + name].agg(list)
        count += len(moving)
        examples += [
            f"series '{key}': {name} is {' and '.join(map(str, variants[:3]))}"
            for key, variants in moving.head(EXAMPLES).items()
        ]
    message = (
        f"{count:,} series change a static column" if count else f"{', '.join(columns)} is constant in each series"
    )
    return CheckResult("static", not count, message, count, examples[:EXAMPLES])


def _check_future(evidence: ContractEvidence) -> CheckResult | None:
    """Check the plan of known covariates: readable, unique keys, and every period of the horizon for every series."""
    known = evidence.dataset.covariates.known
    if not known:
        return None
    if evidence.future is None:
        return CheckResult(
            "future", False, f"{', '.join(known)} must be known over the horizon, but dataset.future is not set", 1
        )
    plan, freq = evidence.future, evidence.frequency
    if not plan.bad.empty:
        examples = [_describe_bad_row(row) for row in plan.bad.head(EXAMPLES).to_dict("records")]
        return CheckResult(
            "future", False, f"{len(plan.bad):,} rows of the plan cannot be used", len(plan.bad), examples
        )
    keyed = "each series" if _by_series(evidence) else "all series"
    twice = plan.frame[plan.frame.duplicated([ID, TIME])]
    if len(twice):
        examples = [
            f"row {row}: {freq.format_period(time)}"
            for row, time in twice[["row", TIME]].head(EXAMPLES).itertuples(index=False)
        ]
        return CheckResult("future", False, f"{len(twice):,} rows of the plan repeat a period", len(twice), examples)
    absent = _missing_plan_periods(evidence)
    if absent:
        return CheckResult(
            "future", False, f"the plan lacks {len(absent):,} periods of the horizon", len(absent), absent[:EXAMPLES]
        )
    return CheckResult("future", True, f"the plan covers {evidence.horizon} periods for {keyed}")


def _by_series(evidence: ContractEvidence) -> bool:
    return bool(evidence.future and any(name.startswith("id_") for name in evidence.future.frame))


def _missing_plan_periods(evidence: ContractEvidence) -> list[str]:
    if evidence.future is None:
        return []
    plan, freq = evidence.future.frame, evidence.frequency
    span = series_spans(evidence.rows.frame, evidence.grid)
    times = freq.periods_after(evidence.grid[span.newest], evidence.horizon)
    names = span.first.index if _by_series(evidence) else plan[ID].unique()
    expected_keys = pd.MultiIndex.from_product([names, times])
    missing_keys = expected_keys.difference(pd.MultiIndex.from_frame(plan[[ID, TIME]]))
    return [
        f"series '{name}': {freq.format_period(time)}" if _by_series(evidence) else freq.format_period(time)
        for name, time in missing_keys
    ]


# In the order in which a person would check: unreadable values, duplicates, wrong dates, missing values.
CHECKS: tuple[Callable[[ContractEvidence], CheckResult | None], ...] = (
    _check_types, _check_keys, _check_frequency, _check_completeness, _check_freshness, _check_range, _check_series, _check_static,
    _check_future,
)  # fmt: skip
