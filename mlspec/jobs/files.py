"""Reads and writes the files of steps: Parquet and JSON, the same bytes for the same content."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from mlspec.errors import DataError


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    """Write a frame as Parquet, completely or not at all."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    part = path.with_suffix(".part")
    pa_parquet.write_table(table, part, compression="zstd")
    return part.replace(path)


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a file of `write_table`, or some of its columns. Raises DataError if it is not a Parquet file."""
    try:
        return pa_parquet.read_table(path, columns=columns, use_threads=False, partitioning=None).to_pandas()
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
    with part.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return part.replace(path)
