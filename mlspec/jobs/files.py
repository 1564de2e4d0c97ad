"""Reads and writes the files of steps: Parquet and JSON, the same bytes for the same content, for the present user alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from mlspec.errors import DataError
from mlspec.plain_files import open_new_file

ROW_GROUP = 1024 * 1024  # rows: as many as Arrow writes as one group


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    """Write a frame as Parquet, completely or not at all."""
    return write_arrow(to_arrow(frame), path)


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as an Arrow table, without its index."""
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def write_arrow(table: pa.Table, path: Path) -> Path:
    """Write an Arrow table as Parquet, completely or not at all."""
    part = path.with_suffix(".part")
    with open_new_file(part) as stream:
        pa_parquet.write_table(table.combine_chunks(), stream, compression="zstd")
    return part.replace(path)


def write_pieces(pieces: Iterable[pd.DataFrame], path: Path) -> Path:
    """Write frames with the same columns as one table, completely or not at all; memory holds a few of them.

    The first frame says the types. What fits into one row group has the same bytes as by `write_table`. So has a table of any size,
    if all pieces but the last have the same number of rows, and a whole number of them is a row group.
    """
    part = path.with_suffix(".part")
    with open_new_file(part) as stream:
        tables = iter(map(to_arrow, pieces))
        first = next(tables)
        with pa_parquet.ParquetWriter(stream, first.schema, compression="zstd") as writer:
            group = [first]
            for table in tables:
                if sum(one.num_rows for one in group) + table.num_rows > ROW_GROUP:
                    writer.write_table(pa.concat_tables(group).combine_chunks())
                    group = []
                group.append(table.cast(first.schema))
            writer.write_table(pa.concat_tables(group).combine_chunks())
    return part.replace(path)


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a file of `write_table`, or some of its columns. Raises DataError if it is not a Parquet file."""
    with _explain_damage(path):
        return pa_parquet.read_table(path, columns=columns, use_threads=False, partitioning=None).to_pandas()


def read_arrow(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read a file of `write_arrow`, or some of its columns. Raises DataError if it is not a Parquet file."""
    with _explain_damage(path), pa_parquet.ParquetFile(path) as file:  # less work than a data set of one file
        return file.read(columns=columns, use_threads=False)


def read_schema(path: Path) -> pa.Schema:
    """Read the names and types of the columns of a file of `write_arrow`. Raises DataError if it is not a Parquet file."""
    with _explain_damage(path):
        return pa_parquet.read_schema(path)


def read_chosen_rows(
    path: Path,
    choose: Callable[[pa.Table], pa.Array],
    columns: Sequence[str] | None = None,
    *,
    coded: Collection[str] = (),
) -> pd.DataFrame:
    """Read the rows of a file of `write_table` that `choose` marks, piece by piece; of `columns` those that the file has.

    Texts of the columns `coded` are read as categories, in the order in which they come: a text of many rows is there once.

    Raises DataError if it is not a Parquet file.
    """
    with _explain_damage(path), pa_parquet.ParquetFile(path) as file:
        present = [name for name in file.schema_arrow.names if columns is None or name in columns]
        batches = file.iter_batches(ROW_GROUP, columns=present, use_threads=False)
        tables = (pa.Table.from_batches([batch], batch.schema) for batch in batches)
        kept = [_code_texts(table.filter(choose(table)), coded) for table in tables]
        empty = pa.schema([file.schema_arrow.field(name) for name in present]).empty_table()
        whole = pa.concat_tables([_code_texts(empty, coded), *kept]).unify_dictionaries()
        del kept
        frame = whole.to_pandas(self_destruct=True)  # so that memory does not hold a column twice
        del whole
        return frame


def _code_texts(table: pa.Table, coded: Collection[str]) -> pa.Table:
    """Return a table in which these columns have each text once, and a number for each row."""
    for name in coded:
        place = table.schema.get_field_index(name)
        if place >= 0:
            table = table.set_column(place, name, table.column(place).dictionary_encode())
    return table


def count_rows(path: Path) -> int:
    """Return the number of rows of a Parquet file, from its footer. Raises DataError if it is none."""
    with _explain_damage(path), pa_parquet.ParquetFile(path) as file:
        return int(file.metadata.num_rows)


def read_tables(paths: Sequence[Path]) -> pd.DataFrame:
    """Read files of `write_table` as one table, in their order. Raises DataError if one is not a Parquet file."""
    tables = [read_arrow(path) for path in paths]
    if all(table.schema.equals(tables[0].schema) for table in tables):
        return pa.concat_tables(tables).to_pandas()  # one conversion costs as much as that of one small file
    return pd.concat([table.to_pandas() for table in tables], ignore_index=True)


@contextmanager
def _explain_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except MemoryError:  # Arrow's MemoryError is also an ArrowException
        raise
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"'{path.name}' cannot be read: {str(error).splitlines()[0]}", hint="run the steps before this one again"
        ) from error


def write_json(value: Any, path: Path) -> Path:
    """Write JSON, completely or not at all. Raises ValueError on NaN: a missing number must be None."""
    return write_bytes(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode(), path)


def write_bytes(data: bytes, path: Path) -> Path:
    """Write bytes, completely or not at all."""
    part = path.with_suffix(".part")
    with open_new_file(part) as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return part.replace(path)
