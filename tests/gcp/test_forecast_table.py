"""A forecast becomes the rows of its table part by part: the rows are all there, and memory does not grow with them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from mlspec.errors import StateError
from mlspec.targets.gcp.data import forecast_table
from mlspec.targets.gcp.data.forecast_table import write_long_table
from tests.examples import forecast_spec

SPEC = forecast_spec(model={"quantiles": [0.1, 0.9]})
DAY = date(2024, 2, 11)


def forecast(path: Path, series: int, periods: int = 2) -> Path:
    """A forecast's file, of so many series."""
    count = series * periods
    numbers = [float(number) for number in range(count)]
    columns = {
        "shop": [f"{number // periods:05}" for number in range(count)],
        "day": pa.array([DAY] * count).cast(pa.timestamp("ns")),
        "cutoff": pa.array([DAY] * count).cast(pa.timestamp("ns")),
        "mean": numbers, "q0.1": numbers, "q0.9": numbers, "version": ["v1"] * count,
    }  # fmt: skip
    parquet.write_table(pa.table(columns), path)
    return path


def test_all_rows_are_there_however_many_parts_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, rows = forecast(tmp_path / "forecast.parquet", 50), []
    for part in (7, 1000):
        monkeypatch.setattr(forecast_table, "_PART", part)
        assert write_long_table(source, tmp_path / "rows.parquet", SPEC, "run") == DAY
        order = [("quantile", "ascending"), ("value", "ascending")]
        rows.append(parquet.read_table(tmp_path / "rows.parquet").sort_by(order))
    assert rows[0].equals(rows[1])
    assert len(rows[0]) == 50 * 2 * 3
    assert not rows[0].schema.field("value").nullable


@pytest.mark.parametrize(
    ("dataset", "told"),
    [({"ended_series": "zero"}, {"model", "ended"}), ({"new_series": "cold-start"}, {"model", "ended"}), ({}, {None})],
)
def test_a_row_says_what_made_it_where_the_spec_has_a_rule(
    tmp_path: Path, dataset: dict[str, str], told: set[str | None]
) -> None:
    """Without such a rule a column of this name is the user's own."""
    path = forecast(tmp_path / "forecast.parquet", 2)
    table = parquet.read_table(path)
    methods = ["model", "model", "ended", "ended"]
    parquet.write_table(table.append_column("method", pa.array(methods)), path)
    write_long_table(
        path, tmp_path / "rows.parquet", forecast_spec(dataset=dataset, model={"quantiles": [0.1, 0.9]}), "run"
    )
    rows = parquet.read_table(tmp_path / "rows.parquet")
    assert rows.schema.names[-1] == "method"
    assert rows.schema.field("method").nullable
    assert set(rows["method"].to_pylist()) == told


def test_memory_is_that_of_a_part(tmp_path: Path) -> None:
    peaks = []
    for series in (20_000, 100_000):
        source = forecast(tmp_path / f"{series}.parquet", series)
        usual = pa.default_memory_pool()
        watched = pa.proxy_memory_pool(usual)
        pa.set_memory_pool(watched)
        try:
            write_long_table(source, tmp_path / "rows.parquet", SPEC, "run")
        finally:
            pa.set_memory_pool(usual)
        peaks.append(watched.max_memory())
    assert peaks[1] < 2 * peaks[0]


def test_a_forecast_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="has no rows"):
        write_long_table(forecast(tmp_path / "empty.parquet", 0), tmp_path / "rows.parquet", SPEC, "run")
