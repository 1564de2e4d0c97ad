"""The data contract: the checks that rows must pass before a model is trained on them, and a report of the violations.

There are built-in checks (types, unique keys, frequency, gaps, static columns, the plan of known covariates) and those of the spec
(completeness, freshness, range, series). Each is a function of the rows and does not change them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from mlspec.forecast.candidates.short import LEAST
from mlspec.forecast.date_frequency import find_frequency
from mlspec.forecast.frame import ID, TIME
from mlspec.forecast.frequency import span_between
from mlspec.forecast.load import TypedRows
from mlspec.forecast.plan_coverage import PlanCoverage
from mlspec.forecast.row_facts import EXAMPLES, PeriodGrid, RowFacts, Violations, missing_periods, worst_gaps
from mlspec.forecast.spans import RowRules, SeriesSpans, row_rules
from mlspec.spec.dataset import Dataset
from mlspec.spec.duration import format_duration


@dataclass(frozen=True)
class ContractEvidence:
    """The input of the checks: the `facts` of all rows, and the plan of known covariates.

    `dates` are the distinct dates of the rows, `newest` is that of the newest value, None without one; `now` is what the dataset's
    clocks show.
    """

    dataset: Dataset
    facts: RowFacts
    grid: PeriodGrid
    dates: pd.Series
    newest: pd.Timestamp | None
    future: TypedRows | None
    horizon: int
    now: pd.Timestamp

    @cached_property
    def rules(self) -> RowRules:
        """What an absent row says, and when a series has ended."""
        return row_rules(self.dataset, self.horizon)

    @property
    def spans(self) -> SeriesSpans:
        """The spans of all series that have a value."""
        return self.facts.spans

    @cached_property
    def coverage(self) -> PlanCoverage | None:
        """The plan of known covariates beside the history; None without a plan, or without a series."""
        if self.future is None or not len(self.spans.first):
            return None
        times = self.grid.frequency.periods_after(self.grid.periods[self.spans.newest], self.horizon)
        return PlanCoverage(self.future, self.facts.names, self.spans.active, times)


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
    bad, count = evidence.facts.bad, evidence.facts.count
    if not bad.cells:
        return CheckResult("types", True, f"all {count:,} rows can be read")
    message = f"{bad.rows:,} of {count:,} rows hold a value that cannot be used"
    return CheckResult("types", False, message, bad.rows, describe_bad_rows(bad.first))


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
    repeated = evidence.facts.repeated
    if not repeated.count:
        return CheckResult("keys", True, "each series has each period once")
    occur = "1 period occurs" if repeated.count == 1 else f"{repeated.count:,} periods occur"
    message = f"{occur} more than once in a series; remove rows that are there twice, or dataset.aggregate makes one row of them"
    return CheckResult("keys", False, message, repeated.count, repeated.examples)


def _check_values(evidence: ContractEvidence) -> CheckResult | None:
    """Check that any period has a value. A sum of which a part is not known has none."""
    facts, target = evidence.facts, evidence.dataset.target
    if facts.has_value:
        return None
    message = (
        f"no period has a sum: in each, '{target}' is empty in a row"
        if facts.read_values
        else f"'{target}' has no value in any row"
    )
    return CheckResult("values", False, message, facts.count)


def _check_frequency(evidence: ContractEvidence) -> CheckResult:
    off, freq = evidence.facts.off_grid, evidence.grid.frequency
    if not off.count:
        return CheckResult("frequency", True, f"every date belongs to {freq.alias}")
    if freq.open_days is not None:
        message = (
            f"{off.count:,} rows have a value on a day that dataset.calendar closes: open the day, or correct the rows"
        )
        return CheckResult("calendar", False, message, off.count, off.examples)
    message = f"{off.count:,} rows have a date that does not belong to {freq.alias}"
    other = find_frequency(evidence.dates)
    if other is not None and other != freq.alias:
        message += f"; all dates of the data belong to {other}: write dataset.frequency: {other}"
    return CheckResult("frequency", False, message, off.count, off.examples)


def _check_completeness(evidence: ContractEvidence) -> CheckResult:
    """Check how many periods are missing (`missing_periods`). Without `completeness` none may be."""
    checks, span = evidence.dataset.checks, evidence.spans
    missing = missing_periods(evidence.dataset, span)
    expected = int((span.present + missing).sum())
    lacking, share = int(missing.sum()), 1 - missing.sum() / max(expected, 1)
    least = checks.completeness.min if checks.completeness else 1.0
    if lacking == 0:
        return CheckResult("gaps", True, f"no period is missing in {len(span.first):,} series")
    worst = worst_gaps(missing)
    examples = [evidence.facts.gaps[str(name)] for name in worst.index[:EXAMPLES]]
    missed = f"{lacking:,} of {expected:,} periods have no value in {len(worst):,} series"
    message = f"{missed} ({share:.2%} have one, {least:.2%} must)"
    if share >= least:
        return CheckResult("gaps", True, f"{message}; each gap is filled and is not scored", lacking, examples)
    unread = evidence.facts.bad.cells  # a value or a date that cannot be read makes a gap, too
    hint = _UNREAD_HINT if unread else _GAPS_HINT[evidence.dataset.missing]
    return CheckResult("gaps", False, f"{message}; {hint}", lacking, examples)


_UNREAD_HINT = "rows with a cell that cannot be read are among them: correct these cells first"
_GAPS_HINT = {
    "unknown": "if an absent row says that nothing was sold, write dataset.missing: zero; if gaps are ordinary, "
    "write dataset.checks.completeness: {min: …}",
    "zero": "write 0 in place of an empty value that means that nothing was sold, or dataset.checks.completeness: {min: …}",
}


def _check_freshness(evidence: ContractEvidence) -> CheckResult | None:
    freshness, newest, freq = evidence.dataset.checks.freshness, evidence.newest, evidence.grid.frequency
    if freshness is None or newest is None:
        return None
    age = span_between(freq.period_end(newest), evidence.now)
    message = f"the newest period is {freq.format_period(newest)}, {max(age.days, 0)} days old"
    limit = f"at most {format_duration(freshness.max_age)} is allowed"
    return CheckResult("freshness", age <= freshness.max_age, f"{message}; {limit}", int(age > freshness.max_age))


def _check_range(evidence: ContractEvidence) -> CheckResult | None:
    limits = evidence.dataset.checks.range
    if not limits:
        return None
    count, examples = _count_and_examples(evidence.facts.outside[name] for name in limits)
    message = (
        f"{count:,} {'value lies outside its' if count == 1 else 'values lie outside their'} range"
        if count
        else f"all values of {', '.join(limits)} are in range"
    )
    return CheckResult("range", not count, message, count, examples)


def _count_and_examples(columns: Iterable[Violations]) -> tuple[int, list[str]]:
    listed = list(columns)
    examples = [example for column in listed for example in column.examples]
    return sum(column.count for column in listed), examples[:EXAMPLES]


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
    """Check that a series is left: not all have ended, and where new series are not forecast, not all others are new."""
    span = evidence.spans
    if len(span.active) or not len(span.first):
        return None
    if not len(span.new):
        message = f"all {len(span.first):,} series have ended, as dataset.ended_after says: none is left to forecast"
        return CheckResult("ended", False, message, len(span.ended), [str(name) for name in span.ended[:EXAMPLES]])
    message = f"no series has {LEAST} periods yet, and dataset.new_series says that new ones are not forecast"
    return CheckResult("new", False, message, len(span.new), [str(name) for name in span.new[:EXAMPLES]])


def _check_static(evidence: ContractEvidence) -> CheckResult | None:
    columns = evidence.dataset.covariates.static
    if not columns:
        return None
    count, examples = _count_and_examples(evidence.facts.moving[name] for name in columns)
    message = (
        f"{count:,} series {'changes' if count == 1 else 'change'} a static column"
        if count
        else f"{', '.join(columns)} {'is' if len(columns) == 1 else 'are'} constant in each series"
    )
    return CheckResult("static", not count, message, count, examples)


def _check_future(evidence: ContractEvidence) -> CheckResult | None:
    """Check the plan of known covariates: readable, unique keys, and every period of the horizon for every series."""
    known = evidence.dataset.covariates.known
    if not known:
        return None
    if evidence.future is None:
        return CheckResult(
            "future", False, f"{', '.join(known)} must be known over the horizon, but dataset.future is not set", 1
        )
    plan, freq = evidence.future, evidence.grid.frequency
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
    format_period = evidence.grid.frequency.format_period
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
