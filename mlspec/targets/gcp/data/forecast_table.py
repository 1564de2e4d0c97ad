"""A forecast and its actual values in the schemas of their BigQuery tables (`spec.gcp.forecast_table`).

The forecast has one row per series, period and quantile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from mlspec.errors import StateError
from mlspec.spec.forecast import Forecast
from mlspec.spec.gcp.forecast_table import ACTUAL_TABLE, FORECAST_TABLE, TableColumn
from mlspec.spec.output_columns import METHOD
from mlspec.state.series_key import series_key

_MEAN = "mean"
_PART = 16_384  # rows of the forecast's file that are converted at once: a few MiB


def write_long_table(source: Path, destination: Path, spec: Forecast, run: str) -> date:
    """Write a forecast's file as Parquet in the BigQuery table's schema, part by part. Return the forecast's cutoff.

    `run` is the forecast file's digest. Memory does not grow with the forecast. A column that the table requires is required in the
    file too: BigQuery refuses a file with other modes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _table_schema(pa, FORECAST_TABLE)
    cutoff: date | None = None
    with pq.ParquetFile(source) as file, pq.ParquetWriter(destination, schema) as writer:
        for batch in file.iter_batches(batch_size=_PART):
            wide = pa.Table.from_batches([batch])
            rows = _long_rows(pa, wide=wide, spec=spec, run=run).cast(schema)
            writer.write_table(rows)
            cutoff = cutoff or rows["cutoff"][0].as_py()
    if cutoff is None:
        raise StateError(
            f"the forecast {source.name} has no rows", hint="run `mlspec apply`: it makes the forecast again"
        )
    return cutoff


def write_actual_table(source: Path, destination: Path) -> None:
    """Write a file of actual values as Parquet in the schema of their table, part by part."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _table_schema(pa, ACTUAL_TABLE)
    with pq.ParquetFile(source) as file, pq.ParquetWriter(destination, schema) as writer:
        for batch in file.iter_batches(batch_size=_PART):
            rows = pa.Table.from_batches([batch]).select(schema.names)
            rows = rows.set_column(1, "time", rows["time"].cast(pa.timestamp("us", tz="UTC")))
            writer.write_table(rows.cast(schema))


def _table_schema(pa: Any, columns: Sequence[TableColumn]) -> Any:
    types = {
        "STRING": pa.string(),
        "TIMESTAMP": pa.timestamp("us", tz="UTC"),
        "DATE": pa.date32(),
        "FLOAT64": pa.float64(),
    }
    return pa.schema(
        [pa.field(column.name, types[column.type], nullable=column.mode == "NULLABLE") for column in columns]
    )


def _long_rows(pa: Any, *, wide: Any, spec: Forecast, run: str) -> Any:
    """Return the rows of the mean and of each quantile."""
    series = pa.array(_series_keys(wide, list(spec.dataset.series)), pa.string())
    # Elsewhere a column of this name is one of the user's.
    methods = wide[METHOD].cast(pa.string()) if spec.dataset.tells_methods else pa.nulls(len(wide), pa.string())
    columns = {"series": series, METHOD: methods}
    parts = [
        _quantile_rows(pa, wide=wide, columns=columns, time=spec.dataset.time, run=run, quantile=quantile)
        for quantile in (None, *spec.model.quantiles)
    ]
    return pa.concat_tables(parts)


def _quantile_rows(
    pa: Any, *, wide: Any, columns: Mapping[str, Any], time: str, run: str, quantile: float | None
) -> Any:
    """Return the rows of the mean, or of one quantile. `columns` are the same in all of them."""
    count = len(wide)
    rows = pa.table(
        {
            **columns,
            "time": wide[time].cast(pa.timestamp("us", tz="UTC")),
            "cutoff": wide["cutoff"].cast(pa.date32()),
            "quantile": pa.array([quantile] * count, pa.float64()),
            "value": wide[_MEAN if quantile is None else f"q{quantile:g}"].cast(pa.float64()),
            "version": wide["version"].cast(pa.string()),
            "run": pa.array([run] * count, pa.string()),
        }
    )
    return rows.select([column.name for column in FORECAST_TABLE])


def _series_keys(wide: Any, keys: list[str]) -> list[str]:
    """Return each row's series key as JSON, with its columns in the spec's order."""
    rows = wide.select(keys).to_pylist() if keys else [{}] * len(wide)
    json_by_key: dict[tuple[Any, ...], str] = {}
    return [json_by_key.setdefault(tuple(row.values()), series_key(row)) for row in rows]
