"""Compares the files of two forecasts by sums over series, column by column: 30,000 series take a moment."""

from __future__ import annotations

from typing import Any

from mlspec.engine.rows import checked_facts, plain_rows
from mlspec.errors import MissingExtra, StateError
from mlspec.plan.forecast_changes import ForecastChanges, Key, compare_sums
from mlspec.state.record import ForecastRun
from mlspec.targets.base import Target

_MEAN = "mean"


def compare_files(
    target: Target, before: ForecastRun, after: ForecastRun, series: tuple[str, ...]
) -> ForecastChanges | None:
    """Return what changed from one forecast to another, by series; None if they have no period in common."""
    old, new = (_read_table(target, run) for run in (before, after))
    time = next(name for name in new.column_names if name not in series)
    common = sorted(set(old.column(time).unique().to_pylist()) & set(new.column(time).unique().to_pylist()))
    if not common:
        return None
    zone = checked_facts(target, after.forecast).get("timezone")
    periods = [row[0] for row in plain_rows([time], [common], zone).values]
    return compare_sums(periods, *(_sums(table, series, time, common) for table in (old, new)))


def _read_table(target: Target, run: ForecastRun) -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "forecast") from error
    if "forecast" not in run.files:
        raise StateError(f"the forecast of {run.forecast} from {run.cutoff} has no file", hint="run `mlspec apply`")
    file = target.fetch_file(run.forecast, run.files["forecast"])
    try:
        return pyarrow.parquet.read_table(file)
    except pyarrow.ArrowException as error:
        raise StateError(
            f"the stored file {file.name} is no Parquet file: the record names a wrong one",
            hint="restore the state from a backup, or run `mlspec apply`",
        ) from error


def _sums(table: Any, series: tuple[str, ...], time: str, common: list[Any]) -> dict[Key, float]:
    import pyarrow as pa
    import pyarrow.compute as pc

    kept = table.filter(pc.is_in(table.column(time), pa.array(common, table.schema.field(time).type)))
    kept = kept.filter(pc.and_(pc.is_valid(kept.column(_MEAN)), pc.is_finite(kept.column(_MEAN))))
    if not series:
        return {(): float(pc.sum(kept.column(_MEAN)).as_py())} if len(kept) else {}
    grouped = kept.group_by(list(series)).aggregate([(_MEAN, "sum")])
    sums = grouped.column(f"{_MEAN}_sum").to_pylist()
    keys = plain_rows(list(series), [grouped.column(name).to_pylist() for name in series]).values
    return {tuple(key): float(value) for key, value in zip(keys, sums, strict=True)}
