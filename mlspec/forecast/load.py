"""Reads a spec's dataset into typed rows: series, time, target, covariates, and a list of invalid values.

It does not judge the rows; `contract` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mlspec.errors import DataError
from mlspec.forecast import parse
from mlspec.forecast.frame import ID, PREFIX, TARGET, TIME
from mlspec.forecast.source import local_files
from mlspec.forecast.table import Table, read_table
from mlspec.spec.forecast import Dataset
from mlspec.state.split import ONLY_SERIES

# Column names of the outputs, which a series column must not have.
RESERVED = ("cutoff", "mean", "version")
MOST_SERIES = 100_000
KEY, CHECK = "id_", "check_"  # prefixes of the user's series columns, and of columns for range checks only
PROBLEM_COLUMNS = ["file", "row", "column", "value", "problem"]


@dataclass(frozen=True)
class TypedRows:
    """Typed rows of the source. Invalid rows are left out and listed in `bad` (file, row, column, value, problem).

    `frame`: unique_id, file, row, ds, y, the user's series columns (`id_`), covariates (`x_`), and columns that only a
    range check reads (`check_`). `count` is the number of rows read; `kinds` is the kind of each covariate.
    """

    frame: pd.DataFrame
    bad: pd.DataFrame
    count: int
    kinds: Mapping[str, parse.CovariateKind]


def load_history(dataset: Dataset, root: Path) -> TypedRows:
    """Read the source of a dataset. Raises DataError if it cannot be read or lacks a column."""
    _refuse_reserved(dataset)
    cov = dataset.covariates
    table = _read_source(dataset.source.uri, root, "dataset.source", history_columns(dataset))
    kinds = {name: parse.covariate_kind(table.columns[name]) for name in (*cov.known, *cov.past, *cov.static)}
    parsed = {TIME: (dataset.time, parse.parse_times(table.columns[dataset.time]))}
    parsed |= {KEY + name: (name, parse.parse_names(table.columns[name])) for name in dataset.series}
    parsed[TARGET] = (dataset.target, parse.parse_numbers(table.columns[dataset.target]))
    parsed |= {PREFIX + name: (name, parse.parse_covariate(table.columns[name], kind)) for name, kind in kinds.items()}
    parsed |= {CHECK + name: (name, parse.parse_numbers(table.columns[name])) for name in dataset.checks.range}
    rows = _assemble_rows(table, parsed, kinds, dataset.series)
    if rows.frame[ID].nunique() > MOST_SERIES:
        raise DataError(f"dataset.series: more than {MOST_SERIES:,} series", hint="split the forecast in several specs")
    return rows


def load_future(dataset: Dataset, root: Path, kinds: Mapping[str, parse.CovariateKind]) -> TypedRows | None:
    """Read the plan of known covariates, keyed by series and time, or by time alone if it has no series columns."""
    known = dataset.covariates.known
    if dataset.future is None or not known:
        return None
    keyed = [*dataset.series, dataset.time, *known]
    try:
        table = _read_source(dataset.future.uri, root, "dataset.future", keyed)
        series = dataset.series
    except DataError:
        table, series = _read_source(dataset.future.uri, root, "dataset.future", [dataset.time, *known]), ()
    parsed = {TIME: (dataset.time, parse.parse_times(table.columns[dataset.time]))}
    parsed |= {KEY + name: (name, parse.parse_names(table.columns[name])) for name in series}
    parsed |= {PREFIX + name: (name, parse.parse_covariate(table.columns[name], kinds[name])) for name in known}
    return _assemble_rows(table, parsed, kinds, series)


def history_columns(dataset: Dataset) -> list[str]:
    """Return the columns of the source that a dataset names."""
    cov = dataset.covariates
    return [*dataset.series, dataset.time, dataset.target, *cov.known, *cov.past, *cov.static, *dataset.checks.range]


def _read_source(uri: str | None, root: Path, where: str, columns: list[str]) -> Table:
    table = read_table(local_files(uri, root, where), columns, where)
    if not len(table):
        raise DataError(f"{where}: '{uri}' has no rows", hint="it must hold the history of at least one series")
    return table


def _assemble_rows(
    table: Table,
    parsed: dict[str, tuple[str, parse.ParsedColumn]],
    kinds: Mapping[str, parse.CovariateKind],
    series: tuple[str, ...],
) -> TypedRows:
    """Join the parsed columns. Leave out rows with a problem and empty lines."""
    bad = pd.concat(
        [_problem_rows(table, name, parsed_column.problems) for name, parsed_column in parsed.values()],
        ignore_index=True,
    )
    blank_labels = _blank_labels(table)
    bad = bad[~bad["label"].isin(blank_labels)]
    frame = table.origin.assign(**{column: parsed_column.values for column, (_name, parsed_column) in parsed.items()})
    frame = frame.drop(index=blank_labels.union(bad["label"].unique()))
    frame.insert(0, ID, join_ids([frame[KEY + name] for name in series], frame.index))
    ragged = pd.DataFrame([vars(row) for row in table.ragged], columns=PROBLEM_COLUMNS)
    bad = pd.concat([bad[PROBLEM_COLUMNS], ragged], ignore_index=True) if len(ragged) else bad[PROBLEM_COLUMNS]
    count = len(table) - len(blank_labels) + len(ragged)
    return TypedRows(frame.reset_index(drop=True), bad.sort_values(["file", "row"], ignore_index=True), count, kinds)


def _problem_rows(table: Table, name: str, problems: pd.Series) -> pd.DataFrame:
    problem_rows = table.origin.loc[problems.index].assign(
        column=name, problem=problems.to_numpy(), label=problems.index
    )
    problem_rows["value"] = [str(value)[:80] for value in table.columns[name].loc[problems.index]]
    return problem_rows[[*PROBLEM_COLUMNS, "label"]]


def _blank_labels(table: Table) -> pd.Index:
    """Return the labels of empty lines: an empty line at a file's end is not a row."""
    empty = pd.Series(True, index=table.origin.index)
    for column in table.columns.values():
        empty &= column == ""
    return empty.index[empty]


def join_ids(columns: list[pd.Series], index: pd.Index) -> pd.Series:
    r"""Return one identifier a row: the values joined by `/`, with `/` and `\` inside a value escaped; one value as it is."""
    if not columns:
        return pd.Series(ONLY_SERIES, index=index, dtype=object)
    if len(columns) == 1:
        return columns[0]
    escaped = [column.str.replace("\\", "\\\\", regex=False).str.replace("/", "\\/", regex=False) for column in columns]
    return escaped[0].str.cat(escaped[1:], sep="/")


def _refuse_reserved(dataset: Dataset) -> None:
    clash = [name for name in (*dataset.series, dataset.time) if name in RESERVED]
    if clash or (ID in dataset.series and len(dataset.series) > 1):
        raise DataError(
            f"dataset: mlspec's outputs use the column name '{clash[0] if clash else ID}' themselves",
            hint="rename the column in the data and in the spec",
        )
