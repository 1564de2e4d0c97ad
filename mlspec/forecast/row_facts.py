"""What the data contract is judged by, of the rows of some series; the facts of several parts of a source add up to those of all.

No part needs the rows of another. What one cannot know alone, the periods of all series and the newest of them, it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.available import unavailable
from mlspec.forecast.frame import ID, PREFIX, TARGET, TIME
from mlspec.forecast.frequency import Frequency
from mlspec.forecast.idle import find_idle_series, find_never_sold
from mlspec.forecast.load import CHECK, TypedRows
from mlspec.forecast.spans import RowRules, SeriesSpans, join_spans, number_series_of, series_spans
from mlspec.spec.dataset import Dataset

EXAMPLES = 10  # most examples for one failed check
Value = TypeVar("Value")


@dataclass(frozen=True)
class Violations:
    """How many places break a check, and a sentence on each of the first of them, with the key by which they are in order."""

    count: int = 0
    first: tuple[tuple[Any, str], ...] = ()

    @property
    def examples(self) -> list[str]:
        """The sentences on the first places."""
        return [sentence for _, sentence in self.first]


def join_violations(parts: Iterable[Violations]) -> Violations:
    """Return what several parts break."""
    listed = list(parts)
    first = sorted((place for part in listed for place in part.first), key=lambda place: place[0])
    return Violations(sum(part.count for part in listed), tuple(first[:EXAMPLES]))


@dataclass(frozen=True)
class BadRows:
    """The cells that cannot be read: their number, that of their rows, and the first of them in the order of the source."""

    cells: int
    rows: int
    first: pd.DataFrame

    @classmethod
    def of(cls, bad: pd.DataFrame) -> BadRows:
        """Return the cells of one part, from the table of them."""
        return cls(len(bad), len(bad[["file", "row"]].drop_duplicates()), bad.head(EXAMPLES))


def join_bad_rows(parts: Sequence[BadRows]) -> BadRows:
    """Return the cells of all parts that cannot be read."""
    first = pd.concat([part.first for part in parts]).sort_values(["file", "row"], ignore_index=True).head(EXAMPLES)
    return BadRows(sum(part.cells for part in parts), sum(part.rows for part in parts), first)


@dataclass(frozen=True)
class HistoryNames:
    """The series of a history in the order in which they first occur, and what the categories among its covariates hold.

    `first` has unique_id, and file and row of the first row. `values` are those of each category, `empty` the categories with an
    empty one.
    """

    first: pd.DataFrame
    values: Mapping[str, pd.Index] = field(default_factory=dict)
    empty: frozenset[str] = frozenset()

    @property
    def ids(self) -> pd.Index:
        """The series, in the order in which they first occur."""
        return pd.Index(self.first[ID])


def history_names(read: TypedRows) -> HistoryNames:
    """Return the names in the rows of a source."""
    categories = [PREFIX + name for name, kind in read.kinds.items() if kind == "category"]
    values = {name: pd.Index(read.frame[name].dropna().unique()) for name in categories}
    empty = frozenset(name for name in categories if read.frame[name].isna().any())
    first = read.frame.loc[~read.frame[ID].duplicated(), [ID, "file", "row"]]
    return HistoryNames(first.assign(file=_file_places(first)), values, empty)


def _join_names(parts: Sequence[HistoryNames]) -> HistoryNames:
    first = pd.concat([part.first for part in parts]).sort_values(["file", "row"], kind="stable", ignore_index=True)
    values = {
        name: pd.Index(np.concatenate([part.values[name].to_numpy(dtype=object) for part in parts])).unique()
        for name in parts[0].values
    }
    return HistoryNames(first, values, frozenset[str]().union(*(part.empty for part in parts)))


@dataclass(frozen=True)
class RowFacts:
    """What the contract has to know of the rows of some series, or of all of them.

    `count`: rows that were read; `bad`: cells that cannot be. `read_values`: rows that were read with a value; `values`: rows of
    the panel with one, of series that are forecast by a model. `repeated`: periods that a series has twice; `off_grid`: rows whose
    date belongs to no period; `outside`: values out of their range, by column; `moving`: series that change a static column, by
    column. `gaps`: a sentence on the gaps of each of the series that have the most. `only_sales`: whether every row has a value
    above 0. `valueless`: series without a value. `idle`: the last demand of each idle series, as a place on the grid. `never_sold`:
    the first period of each series without any demand, as such a place.
    """

    count: int
    bad: BadRows
    read_values: int
    has_value: bool
    repeated: Violations
    off_grid: Violations
    outside: Mapping[str, Violations]
    moving: Mapping[str, Violations]
    spans: SeriesSpans
    gaps: Mapping[str, str]
    names: HistoryNames
    only_sales: bool
    valueless: pd.Index
    idle: pd.Series
    never_sold: pd.Series
    values: int


def join_facts(parts: Sequence[RowFacts]) -> RowFacts:
    """Return the facts of all series from those of the parts."""
    if len(parts) == 1:
        return parts[0]
    return RowFacts(
        count=sum(part.count for part in parts),
        bad=join_bad_rows([part.bad for part in parts]),
        read_values=sum(part.read_values for part in parts),
        has_value=any(part.has_value for part in parts),
        repeated=join_violations(part.repeated for part in parts),
        off_grid=join_violations(part.off_grid for part in parts),
        outside=_join_columns([part.outside for part in parts]),
        moving=_join_columns([part.moving for part in parts]),
        spans=join_spans([part.spans for part in parts]),
        gaps={name: sentence for part in parts for name, sentence in part.gaps.items()},
        names=_join_names([part.names for part in parts]),
        only_sales=all(part.only_sales for part in parts),
        valueless=pd.Index(np.sort(np.concatenate([part.valueless.to_numpy(dtype=object) for part in parts]))),
        idle=_join_places([part.idle for part in parts]),
        never_sold=_join_places([part.never_sold for part in parts]),
        values=sum(part.values for part in parts),
    )


def _join_places(parts: Sequence[pd.Series]) -> pd.Series:
    return pd.concat([part for part in parts if len(part)] or [parts[0]]).sort_index()


def _join_columns(parts: Sequence[Mapping[str, Violations]]) -> Mapping[str, Violations]:
    return {name: join_violations(part[name] for part in parts) for name in parts[0]}


@dataclass(frozen=True)
class PeriodGrid:
    """Every period from the first to the newest of all series, and the place of the newest period with a value."""

    periods: pd.DatetimeIndex
    newest: int
    frequency: Frequency

    def is_same(self, other: PeriodGrid | None) -> bool:
        """Return whether another grid has the same periods and the same newest one."""
        return other is not None and self.newest == other.newest and self.periods.equals(other.periods)


def row_facts(dataset: Dataset, read: TypedRows, rows: TypedRows, grid: PeriodGrid, rules: RowRules) -> RowFacts:
    """Return the facts of rows: `read` as the source has them, `rows` those of the panel, which differ where rows are joined."""
    frame, target = rows.frame, rows.frame[TARGET]
    places = grid.periods.get_indexer(frame[TIME])
    numbers = number_series_of(frame)
    span = series_spans(frame, grid.periods, rules, grid.newest, numbers)
    is_active = numbers.names.isin(span.active)[numbers.codes]
    return RowFacts(
        count=read.count,
        bad=BadRows.of(read.bad),
        read_values=int(read.frame[TARGET].notna().sum()),
        has_value=bool(target.notna().any()),
        repeated=_repeated_periods(frame, grid.frequency),
        off_grid=_rows_off_grid(frame[places < 0], grid.frequency),
        outside={name: _values_outside(read.frame, name, limit) for name, limit in dataset.checks.range.items()},
        moving={name: _moving_series(read.frame, name) for name in dataset.covariates.static},
        spans=span,
        gaps=_describe_gaps(dataset, frame, span, grid, rules),
        names=history_names(read),
        only_sales=bool((target > 0).all()),
        valueless=numbers.names.difference(span.first.index),
        idle=find_idle_series(frame, span, grid.periods, rules, numbers),
        never_sold=find_never_sold(frame, span, rules, numbers),
        values=int(target[is_active].notna().sum()),
    )


def _file_places(rows: pd.DataFrame) -> pd.Series:
    """Return the place of each row's file in the source."""
    files = rows["file"]
    return files.cat.codes if isinstance(files.dtype, pd.CategoricalDtype) else files


def _row_keys(rows: pd.DataFrame) -> Iterable[tuple[Any, int]]:
    return zip(_file_places(rows).tolist(), rows["row"].tolist(), strict=True)


def _first_rows(rows: pd.DataFrame, describe: Callable[..., str], columns: Sequence[str]) -> Violations:
    """Return rows as places that break a check. They are in the order of the source."""
    shown = rows.head(EXAMPLES)
    sentences = (describe(*values) for values in shown[["file", "row", *columns]].itertuples(index=False))
    return Violations(len(rows), tuple(zip(_row_keys(shown), sentences, strict=True)))


def _repeated_periods(rows: pd.DataFrame, frequency: Frequency) -> Violations:
    if rows.empty or _is_sorted_once(rows):
        return Violations()
    twice = rows[rows.duplicated([ID, TIME], keep=False)].sort_values([ID, TIME, "row"])
    if twice.empty:
        return Violations()
    pairs = twice.groupby([ID, TIME], sort=True).ngroup()
    shown = twice[pairs < EXAMPLES].groupby([ID, TIME], sort=True)["row"]
    first = tuple(
        (
            (str(name), time),
            f"series '{name}' has {frequency.format_period(time)} in rows {', '.join(map(str, numbers.head(5)))}",
        )
        for (name, time), numbers in shown
    )
    return Violations(int(pairs.max()) + 1, first)


def _is_sorted_once(rows: pd.DataFrame) -> bool:
    """Return whether the rows of each series follow each other, sorted by time, each time once: no period is there twice."""
    ids, times = rows[ID].to_numpy(), rows[TIME].to_numpy()
    begins: npt.NDArray[np.bool_] = np.append(True, ids[1:] != ids[:-1])
    later = times[1:] > times[:-1]
    return bool((begins[1:] | later).all()) and not pd.Index(ids[begins]).has_duplicates


def _rows_off_grid(off: pd.DataFrame, frequency: Frequency) -> Violations:
    def describe(file: object, row: int, time: pd.Timestamp) -> str:
        return f"{file} row {row}: {frequency.format_period(time)} ({time.day_name()})"

    return _first_rows(off, describe, [TIME])


def _values_outside(rows: pd.DataFrame, name: str, limit: Any) -> Violations:
    def describe(file: object, row: int, value: float) -> str:
        return f"{file} row {row}: {name} {value:g} is {_describe_outside(limit.min, limit.max)}"

    values = rows[CHECK + name]
    low, high = -np.inf if limit.min is None else limit.min, np.inf if limit.max is None else limit.max
    outside = rows.loc[(values < low) | (values > high), ["file", "row", CHECK + name]]
    return _first_rows(outside, describe, [CHECK + name])


def _describe_outside(low: float | None, high: float | None) -> str:
    """Return what a value is that is not between `low` and `high`; one of them may be missing."""
    if low is None or high is None:
        return f"above {high:g}" if low is None else f"below {low:g}"
    return f"outside {low:g} to {high:g}"


def _moving_series(rows: pd.DataFrame, name: str) -> Violations:
    values = rows[[ID, PREFIX + name]].drop_duplicates()
    moving = values[values[ID].duplicated(keep=False)].groupby(ID, sort=True)[PREFIX + name].agg(list)
    first = tuple(
        (str(key), f"series '{key}': {name} is {' and '.join(map(str, variants[:3]))}")
        for key, variants in moving.head(EXAMPLES).items()
    )
    return Violations(len(moving), first)


def missing_periods(dataset: Dataset, span: SeriesSpans) -> pd.Series:
    """Return how many periods each series lacks.

    Without `completeness` every gap counts, except trailing ones if `series.max_missing` is set. The periods after the end of a
    series that has ended are no gap: the step tells them apart, and `series` may limit them.
    """
    checks = dataset.checks
    if checks.completeness is None and checks.series is not None and checks.series.max_missing is not None:
        return span.missing_inside
    return span.missing_inside + span.missing_at_end


def worst_gaps(missing: pd.Series) -> pd.Series:
    """Return the series that lack a period, those that lack the most first."""
    return missing[missing > 0].sort_values(ascending=False, kind="stable")


def _describe_gaps(
    dataset: Dataset, rows: pd.DataFrame, span: SeriesSpans, grid: PeriodGrid, rules: RowRules
) -> dict[str, str]:
    """Return a sentence on the gaps of each of the series that lack the most periods, by series."""
    worst = worst_gaps(missing_periods(dataset, span)).head(EXAMPLES)
    if worst.empty:
        return {}
    frame = rows[rows[ID].isin(worst.index)]
    return {str(name): _describe_gap(frame, str(name), lacks, span, grid, rules) for name, lacks in worst.items()}


def _describe_gap(
    rows: pd.DataFrame, name: str, lacks: int, span: SeriesSpans, grid: PeriodGrid, rules: RowRules
) -> str:
    own = rows[rows[ID] == name]
    periods, known = grid.periods[int(span.first[name]) :], own[TARGET].notna() | unavailable(own)
    if rules.absent_is_zero:
        lacking = periods.intersection(pd.DatetimeIndex(own.loc[~known, TIME]))
    else:
        lacking = periods.difference(pd.DatetimeIndex(own.loc[known, TIME]))
    return f"series '{name}' lacks {lacks:,}, the first {grid.frequency.format_period(lacking[0])}"
