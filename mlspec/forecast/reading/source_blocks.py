"""Reads the rows of a source block by block, for what must not hold all of them at once.

The blocks have the columns as Arrow holds them. `as_table` makes of some of their rows what `read_table` makes of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from mlspec.forecast.reading.column import BadRow, Column
from mlspec.forecast.reading.csv_file import CsvFile, Kinds, RaggedRows, csv_column
from mlspec.forecast.reading.parquet_file import ParquetTable, parquet_column
from mlspec.forecast.reading.table import OpenedFile, OpenedSource, Table, explain_errors

FILE, PLACE = (
    "file",
    "place",
)  # columns of a block: the number of the file, and the place of the row among those that were read


@dataclass
class SourceBlocks:
    """The blocks of a source whose files have the same columns. `kinds`: columns that may come as a kind already.

    Without kinds all columns of CSV come as text. `ragged`: the rows with a wrong number of fields, once all blocks are read.
    """

    source: OpenedSource
    kinds: Kinds
    _ragged: dict[int, RaggedRows] = field(default_factory=dict)

    @property
    def ragged(self) -> tuple[BadRow, ...]:
        """The rows with a wrong number of fields of all files."""
        return tuple(row for rows in self._ragged.values() for row in rows.rows)

    def read(self) -> Iterator[pa.Table]:
        """Yield the rows. Raises TextNeeded if a cell is not of its column's kind, and DataError if a file cannot be read."""
        names = self.source.names
        for number, (file, opened) in enumerate(zip(self.source.files, self.source.opened, strict=True)):
            place = 0
            with explain_errors(file, self.source.dialect, self.source.where):
                for block in self._read_file(number, opened, names):
                    rows = np.arange(place, place + block.num_rows)
                    place += block.num_rows
                    numbers = np.full(block.num_rows, number, dtype="int16")
                    columns = [block.column(column) for column in range(len(names))]
                    yield pa.table(
                        [*columns, pa.array(numbers), pa.array(rows)], names=[*map(str, range(len(names))), FILE, PLACE]
                    )

    def _read_file(self, number: int, opened: OpenedFile, names: list[str]) -> Iterator[pa.Table]:
        if not isinstance(opened, CsvFile):
            return cast("ParquetTable", opened).read_blocks(names)
        if not opened.parsed_kinds(self.kinds):
            self._ragged[number] = RaggedRows(opened.file.name, opened.dialect.delimiter)
        return opened.read_blocks(names, self.kinds, self._ragged.get(number))

    def columns(self, rows: pa.Table, names: Sequence[str]) -> dict[str, Column]:
        """Return some columns of rows of blocks."""
        source = self.source
        convert = csv_column if isinstance(source.opened[0], CsvFile) else parquet_column
        return {
            name: convert(rows.column(source.names.index(name)))
            if name in source.names
            else source.partition_column(name, rows.column(FILE).to_numpy())
            for name in names
        }

    def as_table(self, rows: pa.Table) -> Table:
        """Return rows of blocks, in their order, as a table."""
        source, files = self.source, rows.column(FILE).to_numpy()
        labels = pd.Categorical.from_codes(files, source.labels, validate=False)
        origin = pd.DataFrame(
            {"file": labels, "row": self._row_numbers(files, rows.column(PLACE).to_numpy())}, copy=False
        )
        return Table(self.columns(rows, source.all_names), origin)

    def _row_numbers(self, files: npt.NDArray[np.int16], places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        used = np.flatnonzero(np.bincount(files, minlength=1))
        if len(used) == 1:
            return self._numbers_of(int(used[0]), places)
        numbers = np.empty(len(places), dtype="int64")
        for number in used:
            own = files == number
            numbers[own] = self._numbers_of(int(number), places[own])
        return numbers

    def _numbers_of(self, number: int, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        opened, ragged = self.source.opened[number], self._ragged.get(number)
        if isinstance(opened, CsvFile):
            return opened.numbers_of(places, ragged.numbers if ragged is not None else [])
        return places + 1
