"""The data contract: the checks that rows must pass before a model is trained on them, and a report of the violations.

There are built-in checks (types, unique keys, frequency, gaps, static columns, the plan of known covariates) and those of the spec
(completeness, freshness, range, series). Each is a function of the rows and does not change them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mlspec.forecast.available import unavailable
from mlspec.forecast.candidates.short import LEAST
from mlspec.forecast.date_frequency import find_frequency
from mlspec.forecast.frame import ID, PREFIX, TARGET, TIME
from mlspec.forecast.frequency import Frequency, span_between
from mlspec.forecast.load import CHECK, TypedRows
from mlspec.forecast.plan_coverage import PlanCoverage
from mlspec.forecast.spans import RowRules, SeriesSpans, row_rules, series_spans
from mlspec.spec.dataset import Dataset
from mlspec.spec.duration import format_duration

EXAMPLES = 10  # most examples for one failed check


@dataclass(frozen=True)
class ContractEvidence:
    """The input of the checks. `grid` holds every period from the first to the newest; `now` is what the dataset's clocks show.

    `read` are the rows as the source has them, `rows` those of the panel, which differ where rows are aggregated.
    """

    dataset: Dataset
    read: TypedRows
    rows: TypedRows
    future: TypedRows | None
    frequency: Frequency
    grid: pd.DatetimeIndex
    horizon: int
    now: pd.Timestamp

    @cached_property
    def rules(self) -> RowRules:
        """What an absent row says, and when a series has ended."""
        return row_rules(self.dataset, self.horizon)

    @cached_property
    def spans(self) -> SeriesSpans:
        """The spans of all series that have a value."""
        return series_spans(self.rows.frame, self.grid, self.rules)

    @cached_property
    def coverage(self) -> PlanCoverage | None:
        """The plan of known covariates beside the history; None without a plan, or without a series."""
        if self.future is None or not len(self.spans.first):
            return None
        times = self.frequency.periods_after(self.grid[self.spans.newest], self.horizon)
        return PlanCoverage(self.future, self.read, self.spans.active, times)


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
    bad = evidence.read.bad
    if bad.empty:
        return CheckResult("types", True, f"all {evidence.read.count:,} rows can be read")
    examples = describe_bad_rows(bad)
    rows = len(bad[["file", "row"]].drop_duplicates())
    return CheckResult(
        "types", False, f"{rows:,} of {evidence.read.count:,} rows hold a value that cannot be used", rows, examples
    )


def describe_bad_rows(bad: pd.DataFrame) -> list[str]:
    """Return the first cells that cannot be read: file, row, column, value and reason."""
    return [_describe_bad_row(row) for row in bad.head(EXAMPLES).to_dict("records")]


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
    pairs = twice.groupby([ID, TIME], sort=True).ngroup()
    shown = twice[pairs < EXAMPLES].groupby([ID, TIME], sort=True)["row"]
    examples = [
        f"series '{name}' has {evidence.frequency.format_period(time)} in rows {', '.join(map(str, numbers.head(5)))}"
        for (name, time), numbers in shown
    ]
    count = int(pairs.max()) + 1
    message = f"{count:,} periods occur more than once in a series; dataset.aggregate makes one row of them"
    return CheckResult("keys", False, message, count, examples)


def _check_values(evidence: ContractEvidence) -> CheckResult | None:
    """Check that any period has a value. A sum of which a part is not known has none."""
    if evidence.rows.frame[TARGET].notna().any():
        return None
    target, count = evidence.dataset.target, evidence.read.count
    has_some = evidence.read.frame[TARGET].notna().any()
    message = (
        f"no period has a sum: in each, '{target}' is empty in a row"
        if has_some
        else f"'{target}' has no value in any row"
    )
    return CheckResult("values", False, message, count)


def _check_frequency(evidence: ContractEvidence) -> CheckResult:
    rows, freq = evidence.rows.frame, evidence.frequency
    off = rows[~rows[TIME].isin(evidence.grid)]
    if off.empty:
        return CheckResult("frequency", True, f"every date belongs to {freq.alias}")
    examples = [
        f"{file} row {row}: {freq.format_period(time)} ({time.day_name()})"
        for file, row, time in off[["file", "row", TIME]].head(EXAMPLES).itertuples(index=False)
    ]
    if freq.open_days is not None:
        message = (
            f"{len(off):,} rows have a value on a day that dataset.calendar closes: open the day, or correct the rows"
        )
        return CheckResult("calendar", False, message, len(off), examples)
    message = f"{len(off):,} rows have a date that does not belong to {freq.alias}"
    other = find_frequency(rows[TIME])
    if other is not None and other != freq.alias:
        message += f"; all dates of the data belong to {other}: write dataset.frequency: {other}"
    return CheckResult("frequency", False, message, len(off), examples)


def _check_completeness(evidence: ContractEvidence) -> CheckResult:
    """Check the gaps. Without `completeness` no gap is allowed, except trailing ones if `series.max_missing` is set.

    The periods after the end of a series that has ended are no gap: the step tells them apart, and `series` may limit them.
    """
    checks, span = evidence.dataset.checks, evidence.spans
    behind_excluded = (
        checks.completeness is None and checks.series is not None and checks.series.max_missing is not None
    )
    behind = span.missing_behind.where(~span.first.index.isin(span.ended), 0)
    missing = span.missing_inside + (0 if behind_excluded else behind)
    expected = int((span.present + missing).sum())
    lacking, share = int(missing.sum()), 1 - missing.sum() / max(expected, 1)
    least = checks.completeness.min if checks.completeness else 1.0
    if lacking == 0:
        return CheckResult("gaps", True, f"no period is missing in {len(span.first):,} series")
    worst = missing[missing > 0].sort_values(ascending=False, kind="stable")
    examples = [_describe_gap(evidence, str(name), lacks) for name, lacks in worst.head(EXAMPLES).items()]
    missed = f"{lacking:,} of {expected:,} periods have no value in {len(worst):,} series"
    message = f"{missed} ({share:.2%} have one, {least:.2%} must)"
    if share >= least:
        return CheckResult("gaps", True, f"{message}; each gap is filled and is not scored", lacking, examples)
    return CheckResult("gaps", False, f"{message}; {_GAPS_HINT[evidence.dataset.missing]}", lacking, examples)


_GAPS_HINT = {
    "unknown": "if an absent row says that nothing was sold, write dataset.missing: zero; if gaps are ordinary, "
    "write dataset.checks.completeness: {min: …}",
    "zero": "write 0 in place of an empty value that means that nothing was sold, or dataset.checks.completeness: {min: …}",
}


def _describe_gap(evidence: ContractEvidence, name: str, lacks: int) -> str:
    rows, span = evidence.rows.frame, evidence.spans
    own = rows[rows[ID] == name]
    periods, known = evidence.grid[int(span.first[name]) :], own[TARGET].notna() | unavailable(own)
    if evidence.rules.absent_is_zero:
        lacking = periods.intersection(pd.DatetimeIndex(own.loc[~known, TIME]))
    else:
        lacking = periods.difference(pd.DatetimeIndex(own.loc[known, TIME]))
    return f"series '{name}' lacks {lacks:,}, the first {evidence.frequency.format_period(lacking[0])}"


def _check_freshness(evidence: ContractEvidence) -> CheckResult | None:
    freshness = evidence.dataset.checks.freshness
    with_value = evidence.rows.frame.loc[evidence.rows.frame[TARGET].notna(), TIME]
    if freshness is None or with_value.empty:
        return None
    newest = with_value.max()
    age = span_between(evidence.frequency.period_end(newest), evidence.now)
    message = f"the newest period is {evidence.frequency.format_period(newest)}, {max(age.days, 0)} days old"
    limit = f"at most {format_duration(freshness.max_age)} is allowed"
    return CheckResult("freshness", age <= freshness.max_age, f"{message}; {limit}", int(age > freshness.max_age))


def _check_range(evidence: ContractEvidence) -> CheckResult | None:
    limits, rows = evidence.dataset.checks.range, evidence.read.frame
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
    span = evidence.spans
    count, lag = len(span.first), span.missing_behind
    if evidence.rules.ended_after is not None:  # the spec says what an ended series is, so that it lacks nothing
        lag = lag.drop(span.ended)
    behind = lag[lag > 0]
    few = series_check.min is not None and count < series_check.min
    late = series_check.max_missing is not None and len(behind) > series_check.max_missing * count
    messages = [f"{count:,} series" + (f", at least {series_check.min:,} are required" if few else "")]
    if len(behind):
        messages.append(
            f"{len(behind):,} of them lack the newest period"
            + (
                f", and at most {series_check.max_missing:.1%} may; dataset.ended_after says when one has ended"
                if late
                else ""
            )
        )
    examples = [
        f"series '{name}' ends {lag:,} periods before the newest" for name, lag in behind.head(EXAMPLES).items()
    ]
    return CheckResult("series", not (few or late), "; ".join(messages), len(behind), examples)


def _check_some_series(evidence: ContractEvidence) -> CheckResult | None:
    """Where new series are not forecast, check that others are left."""
    span = evidence.spans
    if len(span.active) or not len(span.first):
        return None
    message = f"no series has {LEAST} periods yet, and dataset.new_series says that new ones are not forecast"
    return CheckResult("new", False, message, len(span.new), [str(name) for name in span.new[:EXAMPLES]])


def _check_static(evidence: ContractEvidence) -> CheckResult | None:
    columns = evidence.dataset.covariates.static
    if not columns:
        return None
    rows, examples, count = evidence.read.frame, [], 0
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
    twice = plan.frame[plan.frame.duplicated([ID, TIME])]
    if len(twice):
        examples = [
            f"row {row}: {freq.format_period(time)}"
            for row, time in twice[["row", TIME]].head(EXAMPLES).itertuples(index=False)
        ]
        return CheckResult("future", False, f"{len(twice):,} rows of the plan repeat a period", len(twice), examples)
    coverage = evidence.coverage
    if coverage is None:
        return None
    return _check_coverage(coverage, evidence)


def _check_coverage(coverage: PlanCoverage, evidence: ContractEvidence) -> CheckResult:
    """Check that each period of the horizon has a row in the plan, and that the row has a value in each column."""
    absent, empty = coverage.absent(), coverage.empty()
    messages = [f"the plan lacks {len(absent):,} periods of the horizon"] if len(absent) else []
    messages += [f"{name} has no value in {len(index):,} of its periods" for name, index in empty.items()]
    if not messages:
        keyed = "each series" if coverage.by_series else "all series"
        return CheckResult("future", True, f"the plan covers {evidence.horizon} periods for {keyed}")
    places = [*absent, *(place for index in empty.values() for place in index)]
    format_period = evidence.frequency.format_period
    examples = [
        f"series '{name}': {format_period(time)}" if coverage.by_series else format_period(time)
        for name, time in places[:EXAMPLES]
    ]
    return CheckResult("future", False, "; ".join([*messages, *coverage.twins()[:1]]), len(places), examples)


# In the order in which a person would check: unreadable values, duplicates, wrong dates, missing values.
CHECKS: tuple[Callable[[ContractEvidence], CheckResult | None], ...] = (
    _check_types, _check_keys, _check_values, _check_frequency, _check_completeness, _check_freshness, _check_range, _check_series,
    _check_some_series, _check_static, _check_future,
)  # fmt: skip
