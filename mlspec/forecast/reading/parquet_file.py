"""Reads columns of a Parquet file. Its footer says how many rows it has, so what would not fit into memory is not read.

Text of a dictionary is stored once and used by any number of rows, so it is decoded in parts, and counted before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pa_parquet

from mlspec.errors import DataError
from mlspec.forecast.reading.budget import NUMBER_BYTES, ROW_BYTES, TEXT_BYTES, RowBudget
from mlspec.forecast.reading.column import Column, FileRows, as_text, text_column
from mlspec.forecast.reading.header import refuse_missing
from mlspec.source_files import parquet_footer_problem

HINT = "write it again: it is not a Parquet file, or it is truncated"
_BATCH = 2**16  # rows that are decoded at once


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file whose footer was read, and no rows yet."""

    file: Path
    header: list[str]
    kinds: dict[str, pa.DataType]
    budget: RowBudget
    nested: tuple[str, ...] = ()  # columns that hold lists or structures, and are not read

    def read(self, column_names: list[str], most: int | None = None) -> FileRows:
        """Read some columns; `most` rows, or all. Text is decoded in parts, so that what it needs is known before."""
        parts = list(islice(self.read_blocks(column_names), None if most is None else -(-most // _BATCH)))
        empty = pa_parquet.read_schema(self.file).empty_table()
        no_rows = pa.table([_as_known_type(empty.column(name)) for name in column_names], names=column_names)
        table = pa.concat_tables([no_rows, *parts]).slice(0, most)
        columns = {name: parquet_column(table.column(name)) for name in column_names}
        return FileRows(columns, np.arange(1, table.num_rows + 1), ())

    def read_blocks(self, column_names: list[str]) -> Iterator[pa.Table]:
        """Yield some columns block by block."""
        texts = [name for name in column_names if is_text(self.kinds[name])]
        with pa_parquet.ParquetFile(self.file, read_dictionary=texts) as source:
            for batch in source.iter_batches(_BATCH, columns=column_names, use_threads=False):
                yield self._decode(batch, column_names)

    def _decode(self, batch: pa.RecordBatch, column_names: list[str]) -> pa.Table:
        for name in column_names:
            column = batch.column(name)
            if pa.types.is_dictionary(column.type) and is_text(column.type.value_type):
                lengths = pc.binary_length(column.dictionary)
                self.budget.add(self.file, 0, pc.sum(lengths.take(column.indices)).as_py() or 0)
        return pa.table(
            [_as_known_type(pa.chunked_array([batch.column(name)])) for name in column_names], names=column_names
        )


def open_parquet(file: Path, column_names: list[str] | None, budget: RowBudget) -> ParquetTable:
    """Read the footer of a Parquet file, and count what its rows need in memory. `column_names`: None for all."""
    problem = parquet_footer_problem(file)
    if problem:
        raise DataError(f"{budget.where}: '{file.name}' cannot be read: {problem}", hint=HINT)
    footer = pa_parquet.read_metadata(file)
    schema = footer.schema.to_arrow_schema()
    nested = tuple(field.name for field in schema if pa.types.is_nested(field.type))
    names = [name for name in schema.names if name not in nested] if column_names is None else column_names
    refuse_missing(names, schema.names, file, budget.where)
    _refuse_nested(schema, names, file, budget.where)
    kinds = {name: schema.field(name).type for name in names}
    values = sum(NUMBER_BYTES if _is_number(kind) else TEXT_BYTES for kind in kinds.values())
    budget.add(file, footer.num_rows, footer.num_rows * (ROW_BYTES + values) + _stored_size(footer, set(names)))
    return ParquetTable(file, list(schema.names), kinds, budget, nested)


def _stored_size(footer: Any, column_names: set[str]) -> int:
    """Return the bytes of some columns after decompression, as the footer says."""
    groups = (footer.row_group(number) for number in range(footer.num_row_groups))
    chunks = (group.column(number) for group in groups for number in range(group.num_columns))
    return sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in column_names)


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type of Arrow holds text."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    known = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_temporal)
    return any(is_kind(kind) for is_kind in known)


def _refuse_nested(schema: pa.Schema, column_names: list[str], file: Path, where: str) -> None:
    nested = next((name for name in column_names if pa.types.is_nested(schema.field(name).type)), None)
    if nested is not None:
        raise DataError(
            f"{where}: the column '{nested}' of '{file.name}' holds {str(schema.field(nested).type)[:80]}, not single values",
            hint="write one value a row: a number, a date or a text",
        )


def _as_known_type(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of a type that can be parsed: text (each once), bool, float64, int64 or timestamp. Others become text."""
    kind = column.type
    if pa.types.is_dictionary(kind) and not is_text(kind.value_type):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return column
    text = pa.dictionary(pa.int32(), pa.string())
    return column.cast(text) if pa.types.is_dictionary(kind) else column.cast(pa.string()).dictionary_encode()


def parquet_column(array: pa.ChunkedArray) -> Column:
    """Return a column as it is decoded."""
    if pa.types.is_dictionary(array.type):
        return text_column(array)
    column: pd.Series = array.to_pandas(date_as_object=False)
    return as_text(column) if column.dtype == object else column  # flags that lack values
