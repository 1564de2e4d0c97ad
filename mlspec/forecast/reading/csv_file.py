"""Reads columns of a CSV file with Arrow's parser, with the row number of each value.

Columns of numbers and of ISO 8601 dates are converted while the file is parsed, by several threads. Where one of their cells is
something else, or a row has a wrong number of fields, the file is read again as text: that tells the row, the value and the reason.
All other columns are text here, so `001` and `NA` stay names.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from mlspec.forecast.reading.budget import ROW_BYTES, TEXT_BYTES, RowBudget
from mlspec.forecast.reading.column import BadRow, Column, FileRows, text_column
from mlspec.forecast.reading.csv_text import (
    CsvSize,
    has_padded_rows,
    lines_above,
    measure_csv,
    open_bytes,
    read_header,
    read_start,
)
from mlspec.forecast.reading.dialect import Dialect
from mlspec.forecast.reading.numbers import LARGEST, MISSING
from mlspec.forecast.reading.times import YEARS

# While Arrow reads a whole file, it takes SIGINT and SIGTERM for itself, and forgets some: 82 of 300 that came while it read small
# files (pyarrow 26.0.1). Without this, Python's own handlers run once it has read the file; a large one is read in blocks.
pa.enable_signal_handlers(False)

CellKind = Literal["number", "time"]
Kinds = Mapping[str, CellKind]  # by the name of a column
# How the problem of a row ends that only has too many signs between fields behind its last field.
AT_END = " at its end"
_TYPES = {"number": pa.float64(), "time": pa.timestamp("ns")}
_PARALLEL = 2**24  # bytes of a file from which several threads are worth their start
_LARGEST_BLOCK = 2**26  # a row is at most so long


class TextNeeded(Exception):
    """A row has to be looked at one by one: a cell is of another kind than its column, or the file is broken."""


@dataclass(frozen=True)
class CsvFile:
    """A CSV file that was looked at and not read yet."""

    file: Path
    dialect: Dialect
    header: list[str]
    measured: CsvSize
    skipped: int = 0  # lines before the header
    padded: bool = False  # each row ends in a sign between fields that the header lacks: the last name is empty

    def read(self, column_names: list[str], kinds: Kinds) -> FileRows:
        """Read some columns. Those with a kind come as that kind if all their cells are of it, else as text."""
        typed = self.parsed_kinds(kinds)
        rows = self._read_typed(column_names, typed) if typed else None
        return rows or self._read_text(column_names)

    def parsed_kinds(self, kinds: Kinds) -> Kinds:
        """Return the columns that Arrow's parser can read as their kind."""
        return {name: kind for name, kind in kinds.items() if self._is_parsed(kind)}

    def read_blocks(self, column_names: list[str], kinds: Kinds, ragged: RaggedRows | None) -> Iterator[pa.Table]:
        """Yield some columns block by block. Without `ragged`, raises TextNeeded where a row has to be looked at one by one."""
        typed = self.parsed_kinds(kinds)
        try:
            with open_bytes(self.file, self.dialect) as stream:
                for batch in pa_csv.open_csv(stream, **self._options(column_names, typed, ragged)):
                    block = pa.Table.from_batches([batch])
                    if ragged is None and len(block) and not all(_is_plausible(block.column(name)) for name in typed):
                        raise TextNeeded
                    yield block
        except pa.ArrowInvalid as error:
            raise TextNeeded from error

    def numbers_of(self, places: npt.NDArray[np.int64], left_out: list[int]) -> npt.NDArray[np.int64]:
        """Return the numbers of rows by their places among those that were read; the rows `left_out` were not."""
        first = 2 + self.skipped
        if not left_out:
            return places + first
        numbers = np.unique(np.array(left_out, dtype="int64"))
        before = numbers - first - np.arange(len(numbers))  # by how many rows that were read each is preceded
        return places + first + np.searchsorted(before, places, side="right")

    def _is_parsed(self, kind: CellKind) -> bool:
        """Return whether Arrow's parser reads a kind as the dialect writes it."""
        if kind == "number":
            return self.dialect.thousands is None and self.dialect.currency is None
        return self.dialect.date_format == "iso"

    def _read_typed(self, column_names: list[str], kinds: Kinds) -> FileRows | None:
        """Return the columns with their kinds; None if a row has to be looked at one by one."""
        try:
            table = self._parse(column_names, kinds, None)
        except pa.ArrowInvalid:
            return None  # a cell is of another kind, a row is ragged, or the file is broken: the text tells which
        if not all(_is_plausible(table.column(name)) for name in kinds):
            return None
        return FileRows(
            {name: csv_column(table.column(name)) for name in column_names}, self._row_numbers(table.num_rows, []), ()
        )

    def _read_text(self, column_names: list[str]) -> FileRows:
        ragged = RaggedRows(self.file.name, self.dialect.delimiter)
        table = self._parse(column_names, {}, ragged)
        columns = {name: csv_column(table.column(name)) for name in column_names}
        return FileRows(columns, self._row_numbers(table.num_rows, ragged.numbers), tuple(ragged.rows))

    def read_first(self, most: int) -> FileRows:
        """Read the first rows of all columns as text."""
        ragged, parts, count = RaggedRows(self.file.name, self.dialect.delimiter), [], 0
        with open_bytes(self.file, self.dialect) as stream:
            reader = pa_csv.open_csv(stream, **self._options(self.header, {}, ragged))
            for batch in reader:
                parts.append(batch)
                count += batch.num_rows
                if count >= most:
                    break
        table = pa.Table.from_batches(parts, schema=reader.schema).slice(0, most)
        columns = {name: text_column(table.column(place)) for place, name in enumerate(self.header)}
        return FileRows(columns, self._row_numbers(table.num_rows, ragged.numbers), tuple(ragged.rows))

    def _parse(self, column_names: list[str], kinds: Kinds, ragged: RaggedRows | None) -> pa.Table:
        options = self._options(column_names, kinds, ragged)
        if self.dialect.compression_of(self.file) is None:
            with pa.OSFile(str(self.file)) as stored:
                return pa_csv.read_csv(stored, **options)
        with open_bytes(self.file, self.dialect) as stream:
            return pa_csv.read_csv(stream, **options)

    def _options(self, column_names: list[str], kinds: Kinds, ragged: RaggedRows | None) -> dict[str, Any]:
        text = pa.dictionary(pa.int32(), pa.string())
        types = dict.fromkeys(self.header, text) | {name: _TYPES[kind] for name, kind in kinds.items()}
        return {
            "read_options": pa_csv.ReadOptions(
                use_threads=ragged is None and self.measured.size > _PARALLEL,
                encoding=arrow_encoding(self.dialect.encoding, checked=ragged is not None), block_size=self._block_size(),
                skip_rows=self.skipped + self.padded, column_names=self.header if self.padded else None,
            ),
            "parse_options": pa_csv.ParseOptions(
                delimiter=self.dialect.delimiter, quote_char=self.dialect.quote, newlines_in_values=self.measured.has_quotes,
                ignore_empty_lines=False, invalid_row_handler=ragged and ragged.add,
            ),
            "convert_options": pa_csv.ConvertOptions(
                include_columns=column_names, column_types=types, strings_can_be_null=False,
                null_values=list(MISSING), decimal_point=self.dialect.decimal,
            ),
        }  # fmt: skip

    def _row_numbers(self, count: int, left_out: list[int]) -> npt.NDArray[np.int64]:
        """Return the numbers of the rows that were read: lines of the file; the rows `left_out` were not read."""
        return self.numbers_of(np.arange(count), left_out)

    def _block_size(self) -> int:
        """Return how many bytes are parsed at once. A block holds whole rows, so it grows for a file of long ones."""
        rows = max(self.measured.lines, 1)
        return int(min(max(2**20, 64 * self.measured.size // rows), _LARGEST_BLOCK))


@dataclass
class RaggedRows:
    """Collects the rows that have a wrong number of fields while a file is parsed."""

    file: str
    delimiter: str
    numbers: list[int] = field(default_factory=list)
    rows: list[BadRow] = field(default_factory=list)

    def add(self, row: pa_csv.InvalidRow) -> str:
        """Note a row and leave it out. Its number is known, as one thread reads the file."""
        self.numbers.append(row.number)
        problem = f"has {row.actual_columns} fields, the header has {row.expected_columns}"
        surplus = row.actual_columns - row.expected_columns
        if surplus > 0 and row.text.rstrip("\r\n").endswith(self.delimiter * surplus):
            signs = f"sign '{self.delimiter}'" if surplus == 1 else f"{surplus} signs '{self.delimiter}'"
            problem += f": remove the {signs}{AT_END}"
        if row.text.strip():  # an empty line is not a row
            self.rows.append(BadRow(self.file, row.number, "", row.text[:80], problem))
        return "skip"


def open_csv(file: Path, column_names: list[str] | None, dialect: Dialect, budget: RowBudget) -> CsvFile:
    """Look at a CSV file, and count what its rows need in memory. `column_names`: None for all. Raises DataError."""
    header = read_header(file, dialect, budget.where)
    padded = has_padded_rows(file, dialect)
    header += [""] * padded
    skipped = lines_above(read_start(file, dialect), dialect)
    measured = measure_csv(file, dialect, budget.where, budget.largest_bytes)
    kept = len(header if column_names is None else column_names)
    share = min(kept / len(header), 1.0)  # the columns that are kept
    budget.add(file, measured.lines, measured.lines * (ROW_BYTES + TEXT_BYTES * kept) + int(measured.size * share))
    return CsvFile(file, dialect, header, measured, skipped, padded)


def arrow_encoding(encoding: str, *, checked: bool) -> str:
    """Return an encoding's name for Arrow. `checked`: Python's decoder looks at each byte first, which is slower.

    A ragged row whose bytes are no text cannot be handed to a handler of such rows.
    """
    if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig", "ascii"):
        return encoding
    return "utf-8-sig" if checked else "utf8"


def csv_column(array: pa.ChunkedArray) -> Column:
    """Return a column as Arrow's parser has read it."""
    return text_column(array) if pa.types.is_dictionary(array.type) else pd.Series(array.to_numpy())


def _is_plausible(array: pa.ChunkedArray) -> bool:
    """Return whether all numbers are finite and of a plausible size, or all cells hold times of plausible years."""
    extremes = pc.min_max(array).as_py()
    if pa.types.is_temporal(array.type):
        years = {extreme and extreme.year for extreme in extremes.values()}
        return not array.null_count and all(year and YEARS[0] <= year <= YEARS[1] for year in years)
    if extremes["min"] is None:
        return True
    return bool(max(abs(extremes["min"]), abs(extremes["max"])) <= LARGEST and not math.isnan(pc.sum(array).as_py()))
