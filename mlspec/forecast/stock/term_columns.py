"""Reads the terms of orders that are in columns, of the history or of tables of the project, and judges them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pandas as pd

from mlspec.forecast.contract import CheckResult
from mlspec.forecast.frame import ID, TIME, describe_series
from mlspec.forecast.load import join_ids
from mlspec.forecast.reading.dialect import Dialect, source_dialect, table_dialect
from mlspec.forecast.reading.numbers import parse_numbers
from mlspec.forecast.reading.table import Table
from mlspec.forecast.reading.texts import parse_names
from mlspec.forecast.reading.times import parse_times
from mlspec.forecast.row_facts import EXAMPLES
from mlspec.forecast.source import read_history, read_source
from mlspec.spec.dataset import Dataset
from mlspec.spec.inventory import Inventory, TermColumn

PREFIX = "stock_"  # of a column of the file `series`
_REQUIRED = ("lead_time", "review_period")  # a series without another term has none: any quantity, an exact lead time
CHECK = "inventory"


@dataclass(frozen=True)
class SeriesTerms:
    """`table`: unique_id and a column for each term that is read by series. `problems`: what cannot be used, a sentence each."""

    table: pd.DataFrame
    problems: tuple[str, ...] = ()


def read_series_terms(dataset: Dataset, inventory: Inventory, root: Path) -> SeriesTerms:
    """Read the terms that are in columns. Raises DataError if a file cannot be read or lacks a column."""
    table, problems = pd.DataFrame({ID: pd.Series(dtype=object)}), list[str]()
    for uri, columns in groupby(sorted(inventory.term_columns, key=_file_of), key=_file_of):
        listed = list(columns)
        found = _read_table_terms(dataset, listed, root) if uri else _read_history_terms(dataset, listed, root)
        table = table.merge(found.table, on=ID, how="outer")
        problems += found.problems
    return SeriesTerms(table, tuple(problems))


def _file_of(column: TermColumn) -> str:
    return column.uri or ""


def _read_history_terms(dataset: Dataset, columns: Sequence[TermColumn], root: Path) -> SeriesTerms:
    """Return the newest value of each series in columns of the history."""
    dialect = source_dialect(dataset.source)
    names = [*dataset.series, dataset.time, *(column.column for column in columns)]
    table = read_history(dataset, root, names)
    rows, problems = _parse_terms(table, dataset, columns, dialect)
    times = parse_times(table.columns[dataset.time], dialect, dataset.timezone).values
    newest = rows.assign(**{TIME: times}).sort_values(TIME, kind="stable").groupby(ID, sort=True).last()
    return SeriesTerms(newest.drop(columns=TIME).reset_index(), problems)


def _read_table_terms(dataset: Dataset, columns: Sequence[TermColumn], root: Path) -> SeriesTerms:
    """Return the values of a table with one row for each series."""
    uri, field = columns[0].uri, ".".join(columns[0].path[:2])
    dialect = table_dialect(dataset.source)
    table = read_source(uri, root, field, [*dataset.series, *(column.column for column in columns)], dialect)
    rows, problems = _parse_terms(table, dataset, columns, dialect)
    twice = rows.loc[rows[ID].duplicated(), ID].unique()
    problems += tuple(f"{uri}: series '{name}' has more than one row" for name in twice)
    return SeriesTerms(rows.drop_duplicates(ID), problems)


def _parse_terms(
    table: Table, dataset: Dataset, columns: Sequence[TermColumn], dialect: Dialect
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return unique_id and the terms of each row, and a sentence for each cell that cannot be read."""
    ids = join_ids([parse_names(table.columns[name]).values for name in dataset.series], table.origin.index)
    rows, problems = pd.DataFrame({ID: ids}), list[str]()
    for column in columns:
        parsed = parse_numbers(table.columns[column.column], dialect)
        rows[column.name] = parsed.values
        problems += table.describe_cells(column.column, parsed.problems)
    return rows, tuple(problems)


def judge_series_terms(terms: SeriesTerms, inventory: Inventory, series: pd.Index, horizon: int) -> CheckResult:
    """Return whether each of these series has terms that stock can be ordered by."""
    values = terms.table.set_index(ID).reindex(series).assign(
        **{name: value for name, value in inventory.constant_terms().items() if name not in terms.table}
    )  # fmt: skip
    examples = [
        *terms.problems,
        *(sentence for name in terms.table if name != ID for sentence in _judge_term(str(name), values[name])),
    ]
    protection = values["lead_time"] + values["review_period"]
    beyond = protection[protection > horizon]
    examples += [
        f"series '{name}': lead_time and review_period are {periods:g} periods, and model.horizon is {horizon}"
        for name, periods in beyond.items()
    ]
    if not examples:
        names = " and ".join(str(name) for name in terms.table if name != ID)
        return CheckResult(CHECK, True, f"each series has its {names}")
    message = f"{len(examples):,} {'term' if len(examples) == 1 else 'terms'} of orders cannot be used"
    return CheckResult(CHECK, False, message, len(examples), examples[:EXAMPLES])


def unknown_series_notes(terms: SeriesTerms, history: pd.Index) -> tuple[str, ...]:
    """Return a sentence on series of the tables that are in no row of the history. A misspelt one would have no pack, unnoticed."""
    unknown = pd.Index(terms.table[ID]).difference(history)
    if unknown.empty:
        return ()
    shown = describe_series([str(name) for name in unknown])
    are = "is" if len(unknown) == 1 else "are"
    return (
        f"{len(unknown):,} series of the terms of orders {are} in no row of the history, and {are} not used: {shown}",
    )


def _judge_term(name: str, values: pd.Series) -> Iterator[str]:
    """Yield a sentence for each series whose value no order can have."""
    if name in _REQUIRED:
        yield from (f"series '{key}' has no {name}" for key in values.index[values.isna()])
    least = 1 if name == "review_period" else 0
    for key, value in values[values < least].items():
        yield f"series '{key}': {name} is {value:g}, and {least} is the least"
    if name == "review_period":
        for key, value in values[values.notna() & (values % 1 != 0)].items():
            yield f"series '{key}': {name} is {value:g}, and it has to be a whole number of periods"


def add_series_terms(series: pd.DataFrame, terms: SeriesTerms) -> pd.DataFrame:
    """Return the rows of the file `series` with the terms as columns.

    A term that a series has not is 0, whether its cell is empty or a table has no row of it.
    """
    names = {name: f"{PREFIX}{name}" for name in terms.table if name != ID}
    joined = series.merge(terms.table.rename(columns=names), on=ID, how="left")
    return joined.fillna(dict.fromkeys(names.values(), 0.0))


def known_terms(series: pd.DataFrame, inventory: Inventory) -> pd.DataFrame | None:
    """Return the terms in the file `series`, by unique_id; None if it lacks one that the spec reads."""
    names = [column.name for column in inventory.term_columns]
    if any(f"{PREFIX}{name}" not in series for name in names):
        return None
    table = series.set_index(ID)[[f"{PREFIX}{name}" for name in names]]
    return table.rename(columns=lambda name: str(name).removeprefix(PREFIX))
