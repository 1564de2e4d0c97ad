"""A data frame as the bytes of an Arrow stream: plain values, which run nothing when they are read."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa


def to_arrow(frame: pd.DataFrame) -> bytes:
    """Return a frame's columns, without its index."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def from_arrow(data: bytes | memoryview) -> pd.DataFrame:
    """Return the frame that `to_arrow` wrote."""
    with pa.ipc.open_stream(data) as reader:
        frame: pd.DataFrame = reader.read_pandas(use_threads=False)
        return frame
