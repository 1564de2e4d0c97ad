"""Reads a spec's dataset into typed rows: series, time, target, covariates, and a list of invalid values.

It does not judge the rows; `contract` does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.errors import DataError
from mlspec.forecast.frame import AVAILABLE, ID, PREFIX, TARGET, TIME
from mlspec.forecast.reading.column import NO_PROBLEMS, Column, ParsedColumn, TextColumn, as_text
from mlspec.forecast.reading.csv_file import CellKind
from mlspec.forecast.reading.dialect import Dialect, plan_dialect, source_dialect
from mlspec.forecast.reading.header import MissingColumn
from mlspec.forecast.reading.numbers import parse_numbers
from mlspec.forecast.reading.odd_cells import explain_total
from mlspec.forecast.reading.table import Table
from mlspec.forecast.reading.texts import (
    CovariateKind,
    covariate_kind,
    parse_covariate,
    parse_names,
    parse_share,
    static_kind,
)
from mlspec.forecast.reading.times import parse_times
from mlspec.forecast.source import read_history, read_source
from mlspec.spec.dataset import Dataset
from mlspec.spec.output_columns import is_output_column
from mlspec.state.split import ONLY_SERIES

MOST_SERIES = (
    500_000  # `check` takes about 1 KiB of memory for each, beside the rows of a part; more has not been measured
)
KEY, CHECK = "id_", "check_"  # prefixes of the user's series columns, and of columns for range checks only
PROBLEM_COLUMNS = ["file", "row", "column", "value", "problem"]


@dataclass(frozen=True)
class TypedRows:
    """Typed rows of the source. Invalid rows are left out and listed in `bad` (file, row, column, value, problem).

    `frame`: unique_id, file, row, ds, y, `available` where the dataset has it, the user's series columns (`id_`), covariates
    (`x_`), and columns that only a range check reads (`check_`). `count` is the number of rows read; `kinds` is the kind of each
    covariate.
    """

    frame: pd.DataFrame
    bad: pd.DataFrame
    count: int
    kinds: Mapping[str, CovariateKind]


def load_history(dataset: Dataset, root: Path) -> TypedRows:
    """Read the source of a dataset. Raises DataError if it cannot be read or lacks a column."""
    refuse_reserved(dataset)
    table = read_history(dataset, root, history_columns(dataset), kinds=cell_kinds(dataset))
    return type_rows(dataset, table, covariate_kinds(dataset, table.columns))


def cell_kinds(dataset: Dataset) -> dict[str, CellKind]:
    """Return the columns of numbers and of times, which may be read as such."""
    cells: dict[str, CellKind] = dict.fromkeys((dataset.target, *dataset.checks.range), "number")
    cells[dataset.time] = "time"
    return cells


def covariate_kinds(dataset: Dataset, columns: Mapping[str, Column]) -> dict[str, CovariateKind]:
    """Return the kind of each covariate, from all of its cells."""
    cov, dialect = dataset.covariates, source_dialect(dataset.source)
    kinds = {name: covariate_kind(columns[name], dialect) for name in (*cov.known, *cov.past)}
    return kinds | {name: static_kind(columns[name], dialect) for name in cov.static}


def type_rows(dataset: Dataset, table: Table, kinds: Mapping[str, CovariateKind]) -> TypedRows:
    """Return the typed rows of the source, or of some of its series."""
    dialect, columns = source_dialect(dataset.source), table.columns
    parsed = {TIME: (dataset.time, parse_times(columns[dataset.time], dialect, dataset.timezone))}
    parsed |= {KEY + name: (name, parse_names(columns[name])) for name in dataset.series}
    parsed[TARGET] = (dataset.target, parse_numbers(columns[dataset.target], dialect))
    parsed |= {PREFIX + name: (name, parse_covariate(columns[name], kind, dialect)) for name, kind in kinds.items()}
    if dataset.available is not None:
        parsed[AVAILABLE] = (dataset.available, parse_share(columns[dataset.available], dialect))
    numeric = {name: column for key, (name, column) in parsed.items() if key == TARGET or kinds.get(name) == "number"}
    for name in dataset.checks.range:  # what is said of a cell once is not said again
        again = (
            ParsedColumn(numeric[name].values, NO_PROBLEMS)
            if name in numeric
            else parse_numbers(columns[name], dialect)
        )
        parsed[CHECK + name] = (name, again)
    return _assemble_rows(table, parsed, kinds, dataset.series)


def load_future(dataset: Dataset, root: Path, kinds: Mapping[str, CovariateKind]) -> TypedRows | None:
    """Read the plan of known covariates, keyed by series and time, or by time alone if it has no series columns."""
    known = dataset.covariates.known
    if dataset.future is None or not known:
        return None
    dialect = plan_dialect(dataset)
    table, series = read_plan(dataset, root, dialect)
    parsed = {TIME: (dataset.time, parse_times(table.columns[dataset.time], dialect, dataset.timezone))}
    parsed |= {KEY + name: (name, parse_names(table.columns[name])) for name in series}
    parsed |= {PREFIX + name: (name, parse_covariate(table.columns[name], kinds[name], dialect)) for name in known}
    return _assemble_rows(table, parsed, kinds, series)


def read_plan(dataset: Dataset, root: Path, dialect: Dialect) -> tuple[Table, tuple[str, ...]]:
    """Return the table of the plan of known covariates, and the series columns that it has: all of the dataset, or none."""
    uri = dataset.future.uri if dataset.future else None
    columns = [dataset.time, *dataset.covariates.known]
    try:
        return read_source(uri, root, "dataset.future", [*dataset.series, *columns], dialect), dataset.series
    except MissingColumn:  # a plan without series columns applies to all series
        table = read_source(uri, root, "dataset.future", columns, dialect)
        _refuse_part_of_a_name(dataset.series, uri, root, dialect)
        return table, ()


def _refuse_part_of_a_name(series: Sequence[str], uri: str | None, root: Path, dialect: Dialect) -> None:
    """Raise DataError if rows of a plan differ in a series column, and the plan lacks another one: they are of no one series."""
    present = dict[str, pd.Series]()
    for name in series if len(series) > 1 else ():
        try:
            present[name] = parse_names(read_source(uri, root, "dataset.future", [name], dialect).columns[name]).values
        except MissingColumn:
            continue
    telling = [name for name, values in present.items() if values.nunique() > 1]
    if telling:
        lacking = ", ".join(f"'{name}'" for name in series if name not in present)
        raise DataError(
            f"dataset.future: the plan has rows by '{telling[0]}' and no column {lacking}: its rows are neither of one series "
            "nor of all",
            hint=f"add {lacking}, with rows for each series; or leave the series columns out, with one row a period for all",
        )


def history_columns(dataset: Dataset) -> list[str]:
    """Return the columns of the source that a dataset names."""
    cov = dataset.covariates
    available = [] if dataset.available is None else [dataset.available]
    covariates = (*cov.known, *cov.past, *cov.static)
    return [*dataset.series, dataset.time, dataset.target, *available, *covariates, *dataset.checks.range]


def _assemble_rows(
    table: Table,
    parsed: dict[str, tuple[str, ParsedColumn]],
    kinds: Mapping[str, CovariateKind],
    series: tuple[str, ...],
) -> TypedRows:
    """Join the parsed columns. Leave out rows with a problem and empty lines."""
    blank = _blank_rows(table, parsed)
    found = [
        _problem_rows(table, name, column.problems.drop(blank, errors="ignore")) for name, column in parsed.values()
    ]
    bad = pd.concat([_name_totals(table, rows, series) for rows in found], ignore_index=True)
    ids = parsed[KEY + series[0]][1].values if len(series) == 1 else _series_ids(table, series)
    columns = {key: column.values for key, (_name, column) in parsed.items()}
    frame = pd.DataFrame({ID: ids, **dict(table.origin.items()), **columns}, copy=False)
    left_out = blank.union(bad["label"].unique())
    if len(left_out):
        frame = frame.drop(index=left_out).reset_index(drop=True)
    ragged = pd.DataFrame([vars(row) for row in table.ragged], columns=PROBLEM_COLUMNS)
    bad = pd.concat([bad[PROBLEM_COLUMNS], ragged], ignore_index=True) if len(ragged) else bad[PROBLEM_COLUMNS]
    count = len(table) - len(blank) + len(ragged)
    if _may_be_many(table, series):
        refuse_many_series(frame[ID].nunique())
    return TypedRows(frame, bad.sort_values(["file", "row"], ignore_index=True), count, kinds)


def _problem_rows(table: Table, name: str, problems: pd.Series) -> pd.DataFrame:
    rows = table.origin.loc[problems.index]
    values = [value[:80] for value in table.cell_texts(name, problems.index.to_numpy())]
    names = table.file_columns(name, problems.index.to_numpy())
    columns = {"file": rows["file"].astype(object), "row": rows["row"], "column": names, "value": values}
    return pd.DataFrame({**columns, "problem": problems, "label": problems.index}, index=problems.index)


def _name_totals(table: Table, rows: pd.DataFrame, series: tuple[str, ...]) -> pd.DataFrame:
    """Return bad cells; an empty one of a row that a series column labels as a total gives way to that label.

    A total below a table has no date. The label says more of it than the empty cell does.
    """
    empty = rows[rows["value"] == ""]
    for name in reversed(series):  # the first column with a label counts
        texts = table.cell_texts(name, empty["label"].to_numpy())
        for place, text in zip(empty.index, texts, strict=True):
            if problem := explain_total(text):
                rows.loc[place, ["column", "value", "problem"]] = [name, text[:80], problem]
    return rows


def _blank_rows(table: Table, parsed: dict[str, tuple[str, ParsedColumn]]) -> pd.Index:
    """Return the rows that are empty: an empty line at a file's end is not a row."""
    blank = np.ones(len(table), dtype=bool)
    for name, column in parsed.values():
        cells = table.columns[name]
        empty = cells.rows_with("") if isinstance(cells, TextColumn) else column.values.isna().to_numpy(copy=True)
        empty[column.problems.index.to_numpy()] &= isinstance(cells, TextColumn)
        blank &= empty
        if not blank.any():
            break
    return pd.Index(np.flatnonzero(blank))


def refuse_many_series(count: int) -> None:
    """Raise DataError if a source has too many series."""
    if count > MOST_SERIES:
        raise DataError(f"dataset.series: more than {MOST_SERIES:,} series", hint="split the forecast in several specs")


def _may_be_many(table: Table, series: tuple[str, ...]) -> bool:
    """Return whether there may be too many series: where the distinct names are few, nothing has to be counted."""
    return math.prod(len(as_text(table.columns[name]).texts) for name in series) > MOST_SERIES


def _series_ids(table: Table, series: tuple[str, ...]) -> pd.Series:
    """Return the identifier of each row, made once for each series."""
    places, ids = number_series([table.columns[name] for name in series], len(table))
    return pd.Series(ids.to_numpy().take(places), dtype=object)


def number_series(columns: Sequence[Column], rows: int) -> tuple[npt.NDArray[np.int64], pd.Series]:
    """Return a number for the series of each row, and by number its identifier (`join_ids`)."""
    if not columns:
        return np.zeros(rows, dtype="int64"), pd.Series([ONLY_SERIES], dtype=object)
    texts = [as_text(column) for column in columns]
    codes, count = _renumber(texts[0].codes, len(texts[0].texts))
    for column in texts[1:]:  # the codes of the columns before are counted anew, so that their product stays small
        codes, count = _renumber(codes * len(column.texts) + column.codes, count * len(column.texts))
    some_row = np.zeros(count, dtype="int64")
    some_row[codes] = np.arange(len(codes))
    if len(texts) > 1:  # each text is escaped once, and not once for each series
        texts = [replace(column, texts=_escape_texts(column.texts)) for column in texts]
    return codes, _join_escaped([column.take(some_row).strings() for column in texts])


def _escape_texts(texts: pa.StringArray) -> pa.StringArray:
    """Return texts as `join_ids` escapes them."""
    doubled = pc.replace_substring(texts, pattern="\\", replacement="\\\\")
    return pc.replace_substring(doubled, pattern="/", replacement="\\/")


def _renumber(codes: npt.NDArray[Any], size: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return codes below `size` as numbers without a gap, and how many there are."""
    if size > 4 * len(codes):
        numbers, distinct = pd.factorize(codes)
        return numbers.astype("int64", copy=False), len(distinct)
    used = np.zeros(size, dtype=bool)
    used[codes] = True
    numbers = np.cumsum(used)
    return numbers[codes] - 1, int(used.sum())


def join_ids(columns: list[pd.Series], index: pd.Index) -> pd.Series:
    r"""Return one identifier a row: the values joined by `/`, with `/` and `\` inside a value escaped; one value as it is."""
    if not columns:
        return pd.Series(ONLY_SERIES, index=index, dtype=object)
    if len(columns) == 1:
        return columns[0]
    return _join_escaped(
        [column.str.replace("\\", "\\\\", regex=False).str.replace("/", "\\/", regex=False) for column in columns]
    )


def _join_escaped(columns: list[pd.Series]) -> pd.Series:
    return columns[0].str.cat(columns[1:], sep="/") if len(columns) > 1 else columns[0]


def refuse_reserved(dataset: Dataset) -> None:
    """Raise DataError if a column has the name of one of mlspec's outputs."""
    clash = [name for name in (*dataset.series, dataset.time) if is_output_column(name, dataset.series)]
    if clash:
        raise DataError(
            f"dataset: mlspec's outputs use the column name '{clash[0]}' themselves",
            hint="rename the column in the data and in the spec",
        )
