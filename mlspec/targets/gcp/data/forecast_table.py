"""A forecast in the schema of its BigQuery table: one row per series, period and quantile (null for the mean).

`templates/terraform/forecast/warehouse.tf.j2` creates the table: series (JSON of its key columns), time, cutoff, quantile,
value, version, run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlspec.spec.forecast import Forecast

_MEAN = "mean"


def long_table(source: Path, spec: Forecast, run: str) -> Any:
    """Return a forecast's file as a pyarrow table in the BigQuery table's schema. `run` is the forecast file's digest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    wide = pq.read_table(source)
    keys = list(spec.dataset.series)
    series = pa.array(_series_keys(wide, keys), pa.string())
    parts = [
        _quantile_rows(pa, wide=wide, series=series, time=spec.dataset.time, run=run, quantile=quantile)
        for quantile in (None, *spec.model.quantiles)
    ]
    return pa.concat_tables(parts)


def _quantile_rows(pa: Any, *, wide: Any, series: Any, time: str, run: str, quantile: float | None) -> Any:
    """Return the rows of the mean, or of one quantile."""
    count = len(wide)
    return pa.table(
        {
            "series": series,
            "time": wide[time].cast(pa.timestamp("us", tz="UTC")),
            "cutoff": wide["cutoff"].cast(pa.date32()),
            "quantile": pa.array([quantile] * count, pa.float64()),
            "value": wide[_MEAN if quantile is None else f"q{quantile:g}"].cast(pa.float64()),
            "version": wide["version"].cast(pa.string()),
            "run": pa.array([run] * count, pa.string()),
        }
    )


def _series_keys(wide: Any, keys: list[str]) -> list[str]:
    """Return each row's series key as JSON, with its columns in the spec's order."""
    rows = wide.select(keys).to_pylist() if keys else [{}] * len(wide)
    json_by_key: dict[tuple[Any, ...], str] = {}
    return [
        json_by_key.setdefault(tuple(row.values()), json.dumps(row, ensure_ascii=False, default=str)) for row in rows
    ]
