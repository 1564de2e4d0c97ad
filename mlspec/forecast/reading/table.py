"""Reads the columns of a spec from its files without conversion, with the file and the row of each value.

Before a file is read, what it needs in memory is estimated: from the number of lines of a CSV file, and from the footer of a
Parquet file, as six megabytes of it can hold 600 million rows. What would not fit is refused with both numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api.types import union_categoricals

from mlspec import memory
from mlspec.errors import DataError, MissingExtra
from mlspec.forecast.reading.budget import RowBudget
from mlspec.forecast.reading.column import (
    BadRow,
    Column,
    FileRows,
    TextColumn,
    as_text,
    join_cells,
    take_rows,
    with_cells,
)
from mlspec.forecast.reading.csv_file import CsvFile, Kinds, open_csv
from mlspec.forecast.reading.csv_text import encoding_error, find_undecodable, read_header
from mlspec.forecast.reading.dialect import Dialect
from mlspec.forecast.reading.header import refuse_missing
from mlspec.forecast.reading.parquet_file import ParquetTable, open_parquet
from mlspec.source_files import PERMISSION, partition_values


@dataclass(frozen=True)
class Table:
    """Columns of all files of a source, in order. `origin` has `file` and `row` of each row.

    `ragged` lists the rows with a wrong number of fields. `nested` lists the columns that hold no single values and were not read.
    For columns that the file does not have, `cell_columns` says in which column of the file the cell of each row stands
    (`reading.wide`). With `is_part`, only the first rows of a longer file were read.
    """

    columns: dict[str, Column]
    origin: pd.DataFrame
    ragged: tuple[BadRow, ...] = ()
    nested: tuple[str, ...] = ()
    cell_columns: Mapping[str, pd.Categorical] = field(default_factory=dict)
    is_part: bool = False

    def __len__(self) -> int:
        return len(self.origin)

    def take(self, rows: npt.NDArray[np.int64]) -> Table:
        """Return some rows."""
        columns = {name: take_rows(column, rows) for name, column in self.columns.items()}
        places = {name: column[rows] for name, column in self.cell_columns.items()}
        return replace(self, columns=columns, origin=self.origin.iloc[rows].reset_index(drop=True), cell_columns=places)

    def cell_texts(self, name: str, rows: npt.NDArray[np.int64]) -> list[str]:
        """Return the text of some cells of a column, for messages."""
        column = self.columns[name]
        cells = column.take(rows).strings() if isinstance(column, TextColumn) else column.iloc[rows]
        return ["" if pd.isna(cell) else str(cell) for cell in cells]

    def describe_cells(self, name: str, problems: pd.Series) -> Iterator[str]:
        """Yield a sentence for each cell of a column that cannot be used: file, row, value and reason."""
        texts = self.cell_texts(name, problems.index.to_numpy())
        places = self.origin.loc[problems.index].itertuples(index=False)
        for (file, row), text, problem in zip(places, texts, problems, strict=True):
            yield f"{file} row {row}: {name} '{text[:80]}' {problem}"

    def file_columns(self, name: str, rows: npt.NDArray[np.int64]) -> list[str]:
        """Return the column of the file in which some cells of a column stand, for messages."""
        places = self.cell_columns.get(name)
        return [name] * len(rows) if places is None else [str(column) for column in places[rows]]


class TypedTable(Protocol):
    """A file whose columns have types: Parquet, or a sheet of a workbook."""

    @property
    def header(self) -> list[str]:
        """The names of all columns."""
        ...

    def read(self, column_names: list[str], most: int | None = None) -> FileRows:
        """Return some columns; of the first `most` rows, or of all."""
        ...


NO_KINDS: Kinds = {}
_NO_ROWS = "Empty CSV file"  # what Arrow says of a header without the end of a line
OpenedFile = CsvFile | TypedTable


def read_table(
    files: Sequence[Path],
    columns: Iterable[str],
    dialect: Dialect,
    where: str,
    *,
    kinds: Kinds = NO_KINDS,
    folder: Path | None = None,
) -> Table:
    """Read `columns` of `files`. Those with a kind may come as that kind already. `where` is the spec's field, for messages.

    `folder`: the files are parts of a table in this folder, and columns may stand in their names. Raises DataError if a file
    cannot be read or lacks a column.
    """
    return open_source(files, columns, dialect, RowBudget(where, memory.step_memory()), folder=folder).read(kinds)


@dataclass(frozen=True)
class OpenedSource:
    """The files of a source that were looked at and not read yet. `names` are the columns in the files, `all_names` all of them.

    `partitions` has what the name of each file says of columns; `budget` the number of rows, at most.
    """

    files: Sequence[Path]
    all_names: list[str]
    names: list[str]
    partitions: Sequence[dict[str, str]]
    opened: Sequence[OpenedFile]
    dialect: Dialect
    budget: RowBudget

    @property
    def where(self) -> str:
        """The spec's field, for messages."""
        return self.budget.where

    @property
    def labels(self) -> list[str]:
        """The name of each file."""
        return _labels(self.files)

    def read(self, kinds: Kinds = NO_KINDS) -> Table:
        """Read all rows. Raises DataError as `read_table` does."""
        parts = _read_files(self.files, self.opened, self.names, kinds, self.dialect, self.where)
        if _is_mixed(parts, kinds):  # what one file has as text is text in all, so that all are parsed alike
            parts = _read_files(self.files, self.opened, self.names, NO_KINDS, self.dialect, self.where)
        origin = pd.DataFrame({"file": _file_names(self.files, parts), "row": _join_rows(parts)}, copy=False)
        ragged = tuple(row for part in parts for row in part.ragged)
        joined = {name: join_columns([part.columns[name] for part in parts]) for name in self.names}
        places = np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts])
        joined |= {name: self.partition_column(name, places) for name in self.all_names if name not in joined}
        return Table(joined, origin, ragged)

    def partition_column(self, name: str, files: npt.NDArray[np.integer[Any]]) -> TextColumn:
        """Return a column that stands in the files' names, by the file of each row; a file without it has no value."""
        texts, places = np.unique([values.get(name, "") for values in self.partitions], return_inverse=True)
        return TextColumn(places.astype("int32")[files], pa.array(texts.tolist(), pa.string()))


def open_source(
    files: Sequence[Path],
    columns: Iterable[str],
    dialect: Dialect,
    budget: RowBudget,
    *,
    folder: Path | None = None,
) -> OpenedSource:
    """Look at files without reading their rows. Raises DataError if one lacks a column, or needs too much memory."""
    all_names = list(dict.fromkeys(columns))
    partitions = [partition_values(file.relative_to(folder).as_posix()) if folder else {} for file in files]
    names = [name for name in all_names if not any(name in values for values in partitions)]
    opened = [_open_file(file, names, dialect, budget) for file in files]
    return OpenedSource(files, all_names, names, partitions, opened, dialect, budget)


def read_first_rows(file: Path, dialect: Dialect, most_values: int, most_rows: int) -> Table:
    """Read the first rows of all columns of one file; columns without a name are left out. Raises DataError."""
    budget = RowBudget("--from", None)
    with explain_errors(file, dialect, budget.where):
        opened = _open_whole(file, dialect, budget)
        repeated = next((name for name in opened.header if name and opened.header.count(name) > 1), None)
        if repeated is not None:
            raise DataError(
                f"{file.name}: the column '{repeated}' occurs {_times(opened.header.count(repeated))}",
                hint="rename one; where names stand in two rows, such as years above months, write them in one: 2024-01",
            )
        most = min(most_rows, most_values // max(len(opened.header), 1))
        nested = opened.nested if isinstance(opened, ParquetTable) else ()
        named = [name for name in opened.header if name and name not in nested]
        part = opened.read_first(most) if isinstance(opened, CsvFile) else opened.read(named, most)
    origin = pd.DataFrame({"file": pd.Categorical([file.name] * len(part.rows)), "row": part.rows})
    columns = {name: column for name, column in part.columns.items() if name}
    return _drop_blank_rows(Table(columns, origin, part.ragged, nested, is_part=len(part.rows) >= most))


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count:,} times"


def join_tables(files: Sequence[Path], tables: Sequence[Table]) -> Table:
    """Return the tables of files, one after the other."""
    if len(tables) == 1:
        return tables[0]
    numbers = np.repeat(np.arange(len(files), dtype="int16"), [len(table) for table in tables])
    names = pd.Categorical.from_codes(numbers, _labels(files), validate=False)
    origin = pd.concat([table.origin for table in tables], ignore_index=True).assign(file=names)
    columns = {name: join_columns([table.columns[name] for table in tables]) for name in tables[0].columns}
    places = {
        name: union_categoricals([table.cell_columns[name] for table in tables]) for name in tables[0].cell_columns
    }
    ragged = tuple(row for table in tables for row in table.ragged)
    return Table(columns, origin, ragged, cell_columns=places)


def _drop_blank_rows(table: Table) -> Table:
    """Return a table without the rows in which every cell is empty text."""
    blank = np.ones(len(table), dtype=bool)
    for column in table.columns.values():
        blank &= column.rows_with("") if isinstance(column, TextColumn) else column.isna().to_numpy()
    if not blank.any():
        return table
    return table.take(np.flatnonzero(~blank))


def _open_whole(file: Path, dialect: Dialect, budget: RowBudget) -> OpenedFile:
    is_csv = dialect.format_of(file) == "csv"
    return open_csv(file, None, dialect, budget) if is_csv else _open_typed(file, None, dialect, budget)


def file_columns(file: Path, dialect: Dialect, where: str) -> list[str]:
    """Return the names of a file's columns. Raises DataError if it cannot be read."""
    with explain_errors(file, dialect, where):
        if dialect.format_of(file) == "csv":
            return read_header(file, dialect, where)
        return _open_typed(file, [], dialect, RowBudget(where, memory.step_memory())).header


def _file_names(files: Sequence[Path], parts: Sequence[FileRows]) -> pd.Categorical:
    """Return the file of each row."""
    places = np.repeat(np.arange(len(files), dtype="int16"), [len(part.rows) for part in parts])
    return pd.Categorical.from_codes(places, _labels(files), validate=False)


def _join_rows(parts: Sequence[FileRows]) -> npt.NDArray[np.int64]:
    return parts[0].rows if len(parts) == 1 else np.concatenate([part.rows for part in parts])


def _labels(files: Sequence[Path]) -> list[str]:
    """Return the name of each file; with its folder, if two files have the same name."""
    names = [file.name for file in files]
    return names if len(set(names)) == len(names) else [str(file) for file in files]


def _open_file(file: Path, names: list[str], dialect: Dialect, budget: RowBudget) -> OpenedFile:
    """Estimate what a file needs, so that no file is read before all of them are known to fit."""
    with explain_errors(file, dialect, budget.where):
        if dialect.format_of(file) != "csv":
            return _open_typed(file, names, dialect, budget)
        opened = open_csv(file, names, dialect, budget)
        refuse_missing(names, opened.header, file, budget.where)
        return opened


def _open_typed(file: Path, names: list[str] | None, dialect: Dialect, budget: RowBudget) -> TypedTable:
    if dialect.format_of(file) == "parquet":
        return open_parquet(file, names, budget)
    try:
        from mlspec.forecast.reading.excel_file import open_sheet  # few read workbooks
    except ImportError as error:
        raise MissingExtra(error.name or "python-calamine", "forecast") from error
    return open_sheet(file, names, dialect, budget)


def _read_files(
    files: Sequence[Path],
    opened: Sequence[OpenedFile],
    names: list[str],
    kinds: Kinds,
    dialect: Dialect,
    where: str,
) -> list[FileRows]:
    parts = []
    for file, part in zip(files, opened, strict=True):
        with explain_errors(file, dialect, where):
            parts.append(part.read(names, kinds) if isinstance(part, CsvFile) else part.read(names))
    return parts


def _is_mixed(parts: Sequence[FileRows], kinds: Kinds) -> bool:
    """Return whether a column came as text from one file and as its kind from another."""
    return any(len({isinstance(part.columns[name], TextColumn) for part in parts}) > 1 for name in kinds)


@contextmanager
def explain_errors(file: Path, dialect: Dialect, where: str) -> Iterator[None]:
    """Turn what Arrow and the system say of a file into a DataError with what to do."""
    try:
        yield
    except MemoryError:  # Arrow's MemoryError is also an ArrowException
        raise
    except (pa.ArrowException, OSError, UnicodeError, EOFError, csv.Error) as error:
        if dialect.format_of(file) == "csv" and isinstance(error, (pa.ArrowInvalid, UnicodeError)):
            odd = find_undecodable(file, dialect)
            if odd is not None:
                raise encoding_error(file, dialect, where, *odd) from error
            if _NO_ROWS in str(error):
                raise DataError(
                    f"{where}: '{file.name}' has a line of column names, and no row below it",
                    hint="export it again with its rows",
                ) from error
        if isinstance(error, PermissionError):
            raise DataError(f"{where}: '{file.name}' cannot be read: {error.strerror}", hint=PERMISSION) from error
        raise DataError(
            f"{where}: '{file.name}' cannot be read: {_first_line(error)}", hint=_hint(file, dialect)
        ) from error


def _hint(file: Path, dialect: Dialect) -> str:
    if dialect.format_of(file) != "csv":
        return f"write it again: it is not a whole file of the format {dialect.format_of(file)}"
    compression = dialect.compression_of(file)
    packed = f"a whole file packed with {compression}, of " if compression else ""
    return (
        f"it must be {packed}text in {dialect.encoding} with a header line and '{dialect.delimiter}' between fields, "
        "or dataset.source says how it is written"
    )


def join_columns(parts: list[Column]) -> Column:
    """Return columns one after the other: as their type, or as text if they differ."""
    if len(parts) == 1:
        return parts[0]
    if not any(isinstance(part, TextColumn) for part in parts):
        joined: pd.Series = pd.concat([part for part in parts if isinstance(part, pd.Series)], ignore_index=True)
        if joined.dtype != object:
            return joined
    kinds = {isinstance(part, TextColumn) for part in parts}
    if len(kinds) > 1 or any(isinstance(part, TextColumn) and part.cells for part in parts):
        return join_cells([with_cells(part) for part in parts])
    return _join_texts([as_text(part) for part in parts])


def _join_texts(parts: list[TextColumn]) -> TextColumn:
    """Return columns of text one after the other, each distinct text once."""
    texts = pa.chunked_array([part.texts for part in parts], pa.string()).dictionary_encode().combine_chunks()
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.chunk(0) if texts.num_chunks else pa.array([], pa.string()).dictionary_encode()
    places = np.split(texts.indices.to_numpy(zero_copy_only=False), np.cumsum([len(part.texts) for part in parts])[:-1])
    codes = [place.astype("int32").take(part.codes) for place, part in zip(places, parts, strict=True)]
    return TextColumn(np.concatenate(codes), texts.dictionary)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
