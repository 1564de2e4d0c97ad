"""Files of the newest forecast as rows of plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from mlspec.errors import MissingExtra, StateError, UsageError
from mlspec.plan.select import known_name
from mlspec.spec.faults import did_you_mean
from mlspec.state.record import ForecastRun
from mlspec.targets.base import Target


@dataclass(frozen=True)
class PlainRows:
    """A table of plain values: names of columns, and rows in order. Times are ISO text; a missing value is None."""

    columns: list[str]
    values: list[list[Any]]

    def filter_rows(self, wanted: dict[str, str]) -> PlainRows:
        """Return the rows whose columns have these values, as text. Raises UsageError for an unknown column."""
        for name in wanted:
            if name not in self.columns:
                raise UsageError(f"--series: there is no column '{name}'", hint=did_you_mean(name, self.columns))
        at = {self.columns.index(name): text for name, text in wanted.items()}
        return PlainRows(
            self.columns, [row for row in self.values if all(str(row[i]) == text for i, text in at.items())]
        )


def read_rows(file: Path) -> PlainRows:
    """Read a Parquet file. Raises MissingExtra if pyarrow is not installed."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "forecast") from error
    arrow_table = pyarrow.parquet.read_table(file)
    columns = [[_plain_value(value) for value in column.to_pylist()] for column in arrow_table.columns]
    return PlainRows(list(arrow_table.column_names), [list(row) for row in zip(*columns, strict=True)])


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return value.date().isoformat() if midnight else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def newest_run(target: Target, name: str) -> ForecastRun:
    """Return the newest forecast run. Raises UsageError for an unknown name, StateError if there is none yet."""
    known_name(name, target.forecast_names())
    for run in target.load_runs(name):
        return run
    raise StateError(f"{name} has no forecast yet", hint="`mlspec status` says why; `mlspec apply` makes one")


def newest_rows(target: Target, name: str, role: str) -> PlainRows:
    """Return a file of the newest forecast as rows. Raises StateError if the spec did not ask for it."""
    run = newest_run(target, name)
    if role not in run.files:
        raise StateError(
            f"the forecast of {name} has no {role}", hint=f"add `{role}:` to its spec, then `mlspec apply`"
        )
    return read_rows(target.fetch_file(name, run.files[role]))
