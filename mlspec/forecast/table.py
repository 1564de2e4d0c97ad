"""Reads the columns of a spec from CSV and Parquet files without conversion, with the row number of each value.

All values of a CSV file are text here, so `001` and `NA` stay names. `parse` converts numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from mlspec.errors import DataError

MOST_ROWS = 100_000_000
_HEADER_BYTES = 2**16


@dataclass(frozen=True)
class BadRow:
    """An invalid row: its file and number (the header is row 1), the column, the value and the problem."""

    file: str
    row: int
    column: str
    value: str
    problem: str


@dataclass(frozen=True)
class Table:
    """Columns of all files of a source, in order. `origin` has `file` and `row` of each row.

    `ragged` lists the rows with a wrong number of fields.
    """

    columns: dict[str, pd.Series]
    origin: pd.DataFrame
    ragged: tuple[BadRow, ...] = ()

    def __len__(self) -> int:
        return len(self.origin)


def read_table(files: Sequence[Path], columns: Iterable[str], where: str) -> Table:
    """Read `columns` of `files`. `where` is the spec's field, for messages.

    Raises DataError if a file cannot be read or lacks a column.
    """
    column_names = list(dict.fromkeys(columns))
    ragged: list[BadRow] = []
    parts = [_read_file(file, column_names, where, ragged) for file in files]
    rows = sum(part.num_rows for part in parts)
    if rows > MOST_ROWS:
        raise DataError(f"{where}: {rows:,} rows; at most {MOST_ROWS:,} are read")
    frames = [part.to_pandas(date_as_object=False, strings_to_categorical=False) for part in parts]
    all_rows = pd.concat(frames, ignore_index=True)
    origin = all_rows[["file", "row"]]
    return Table({name: all_rows[f"column {name}"] for name in column_names}, origin, tuple(ragged))


def _read_file(file: Path, column_names: list[str], where: str, ragged: list[BadRow]) -> pa.Table:
    read = _read_parquet if file.suffix.lower() == ".parquet" else _read_csv
    try:
        table, rows = read(file, column_names, where, ragged)
    except MemoryError:  # Arrow's MemoryError is also an ArrowException
        raise
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{where}: '{file.name}' cannot be read: {_first_line(error)}", hint=_HINTS[read is _read_csv]
        ) from error
    table = table.rename_columns([f"column {name}" for name in table.column_names])
    return table.append_column("row", pa.array(rows, pa.int64())).append_column(
        "file", pa.array([file.name] * len(rows))
    )


_HINTS = {
    True: "it must be comma-separated text in UTF-8 with a header line",
    False: "write it again: it is not a Parquet file, or it is truncated",
}


def _read_csv(file: Path, column_names: list[str], where: str, ragged: list[BadRow]) -> tuple[pa.Table, list[int]]:
    header = _read_header(file, where)
    _refuse_missing(column_names, header, file, where)
    broken_rows: list[int] = []

    def handle_invalid_row(row: pa_csv.InvalidRow) -> str:
        broken_rows.append(row.number)
        problem = f"has {row.actual_columns} fields, the header has {row.expected_columns}"
        if row.text.strip():  # an empty line is not a row
            ragged.append(BadRow(file.name, row.number, "", row.text[:80], problem))
        return "skip"

    table = pa_csv.read_csv(
        file,
        read_options=pa_csv.ReadOptions(use_threads=False),
        parse_options=pa_csv.ParseOptions(
            newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=handle_invalid_row
        ),
        convert_options=pa_csv.ConvertOptions(
            include_columns=column_names, column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
        ),
    )
    return table, _row_numbers(table.num_rows, broken_rows)


def _row_numbers(count: int, broken_rows: list[int]) -> list[int]:
    """Return the numbers of the rows that were read; the header is row 1, and `broken_rows` were left out."""
    left_out = set(broken_rows)
    return [row for row in range(2, count + len(left_out) + 2) if row not in left_out][:count]


def _read_header(file: Path, where: str) -> list[str]:
    with file.open("rb") as stream:
        start = stream.read(_HEADER_BYTES)
    try:
        lines = start.decode("utf-8-sig", errors="ignore" if len(start) == _HEADER_BYTES else "strict").splitlines()
        header = next(csv.reader(lines), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{where}: '{file.name}' is not text in UTF-8: {error}", hint="save it as CSV in UTF-8"
        ) from error
    if not any(header):
        raise DataError(f"{where}: '{file.name}' is empty", hint="it must begin with a line of column names")
    return header


def _read_parquet(file: Path, column_names: list[str], where: str, _ragged: list[BadRow]) -> tuple[pa.Table, list[int]]:
    schema = pa_parquet.read_schema(file)
    _refuse_missing(column_names, schema.names, file, where)
    table = pa_parquet.read_table(file, columns=column_names, use_threads=False, partitioning=None).select(column_names)
    known_columns = [_as_known_type(table.column(name)) for name in column_names]
    return pa.table(known_columns, names=column_names), list(range(1, table.num_rows + 1))


def _as_known_type(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of a type that `parse` supports: text, bool, float64, int64 or timestamp. Other types become text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", getattr(kind, "tz", None)))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return column
    return column.cast(pa.string())


def _refuse_missing(column_names: list[str], header: list[str], file: Path, where: str) -> None:
    missing = [name for name in column_names if name not in header]
    if missing:
        raise DataError(
            f"{where}: '{file.name}' has no column {', '.join(repr(name) for name in missing)}",
            hint=f"its columns are {', '.join(header[:30])}",
        )
    repeated = sorted({name for name in column_names if header.count(name) > 1})
    if repeated:
        raise DataError(
            f"{where}: '{file.name}' has more than one column {', '.join(map(repr, repeated))}", hint="rename one"
        )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
