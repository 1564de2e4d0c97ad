"""Deals the rows of a source into files, one for each part by series, so that a part of them can be in memory at a time.

The rows are dealt as they are read, and parsed when a part is. What a part cannot know alone is gathered meanwhile: the distinct
texts of columns whose kind all of them say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.forecast.load import number_series
from mlspec.forecast.reading.column import Column, TextColumn
from mlspec.forecast.reading.csv_file import CsvFile
from mlspec.forecast.reading.parquet_file import ParquetTable
from mlspec.forecast.reading.source_blocks import SourceBlocks
from mlspec.forecast.reading.table import OpenedSource, Table
from mlspec.forecast.series_parts import place_series

_GROUP = 2**20  # rows that are dealt at once
_LONG = 1024  # texts of a column from which those that no row of a part has are left out of its file


def can_be_dealt(source: OpenedSource, series: Sequence[str]) -> bool:
    """Return whether the rows of a source mean the same in parts: its files have the same columns, and no series is a fraction."""
    if all(isinstance(file, CsvFile) for file in source.opened):
        return True
    kinds = [file.kinds for file in source.opened if isinstance(file, ParquetTable)]
    if len(kinds) < len(source.opened) or any(own != kinds[0] for own in kinds):
        return False
    return not any(
        pa.types.is_floating(kinds[0][name]) or pa.types.is_decimal(kinds[0][name])
        for name in series
        if name in kinds[0]
    )


@dataclass(frozen=True)
class DealtRows:
    """The files that rows were dealt into, and the number of series.

    `samples` has for each of some columns a short one with all texts that it holds.
    """

    blocks: SourceBlocks
    files: tuple[Path, ...]
    samples: Mapping[str, Column]
    series: int

    def read(self, number: int) -> Table:
        """Return the rows of one part, in the order of the source. The first has the rows with a wrong number of fields, too."""
        with pa.memory_map(str(self.files[number])) as stored:
            rows = pa.ipc.open_stream(stored).read_all()
            table = self.blocks.as_table(rows)
        return replace(table, ragged=self.blocks.ragged) if number == 0 else table


def deal_rows(
    blocks: SourceBlocks, series: Sequence[str], sampled: Sequence[str], parts: int, folder: Path
) -> DealtRows:
    """Deal all rows by the columns that name a series. `sampled` are the columns whose texts are gathered.

    Raises TextNeeded as `SourceBlocks.read` does, and DataError if a file cannot be read.
    """
    samples = {name: _Sample() for name in sampled}
    with ExitStack() as stack:
        dealer = _Dealer(parts, folder, stack)
        for rows in _group_rows(blocks.read()):
            for name, column in blocks.columns(rows, sampled).items():
                samples[name].add(column)
            columns = list(blocks.columns(rows, series).values())
            dealer.deal(rows, *number_series(columns, len(rows)))
    found = {name: sample.column() for name, sample in samples.items()}
    return DealtRows(blocks, tuple(dealer.files[place] for place in sorted(dealer.files)), found, len(dealer.places))


def _group_rows(blocks: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield blocks in groups of about _GROUP rows, each as a table of one chunk."""
    waiting: list[pa.Table] = []
    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) >= _GROUP:
            yield pa.concat_tables(waiting).unify_dictionaries().combine_chunks()
            waiting = []
    if sum(map(len, waiting)):
        yield pa.concat_tables(waiting).unify_dictionaries().combine_chunks()


class _Dealer:
    """Writes rows into the files of their parts. `places` has the part of each series."""

    def __init__(self, parts: int, folder: Path, stack: ExitStack) -> None:
        self._parts, self._folder, self._stack = parts, folder, stack
        self._writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
        self.files: dict[int, Path] = {}
        self.places: dict[str, int] = {}

    def deal(self, rows: pa.Table, codes: npt.NDArray[np.int64], ids: pd.Series) -> None:
        """Deal rows; `codes` are those of their series among `ids`."""
        new = [name for name in ids if name not in self.places]
        self.places.update(zip(new, place_series(new, self._parts).tolist(), strict=True))
        part = np.array([self.places[name] for name in ids], dtype="int16")[codes]
        counts = np.bincount(part, minlength=self._parts)
        if np.count_nonzero(counts) > 1:
            rows = rows.take(pa.array(np.argsort(part, kind="stable")))
        ends = np.cumsum(counts)
        for place in np.flatnonzero(counts).tolist():
            self._write(place, rows.slice(int(ends[place] - counts[place]), int(counts[place])))

    def _write(self, place: int, rows: pa.Table) -> None:
        if place not in self._writers:
            self.files[place] = self._folder / f"rows-{place:04}.arrow"
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            writer = pa.ipc.new_stream(str(self.files[place]), rows.schema, options=options)
            self._writers[place] = self._stack.enter_context(writer)
        columns = [_leave_out_texts(column) for column in rows.columns]
        self._writers[place].write_table(pa.table(columns, schema=rows.schema))


def _leave_out_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without the texts that no row has, if it has many."""
    kind = column.type
    if not pa.types.is_dictionary(kind) or not column.num_chunks or len(column.chunk(0).dictionary) < _LONG:
        return column
    return column.cast(kind.value_type).dictionary_encode().cast(kind)


@dataclass
class _Sample:
    """Gathers the distinct texts of a column, or an example of its type."""

    _texts: pa.StringArray = field(default_factory=lambda: pa.array([], pa.string()))
    _typed: pd.Series | None = None

    def add(self, column: Column) -> None:
        if isinstance(column, TextColumn):
            self._texts = pc.unique(pa.concat_arrays([self._texts, column.texts]))
        elif self._typed is None:
            self._typed = column.head(1)

    def column(self) -> Column:
        """Return a column of the same kind as all rows."""
        if self._typed is not None:
            return self._typed
        return TextColumn(np.arange(len(self._texts), dtype="int32"), self._texts)
