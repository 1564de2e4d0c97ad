"""The schemas of a forecast's BigQuery tables. Terraform makes the tables from them; a load is sent with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: its name, BigQuery's type and mode, and what it holds."""

    name: str
    type: Literal["STRING", "TIMESTAMP", "DATE", "FLOAT64"]
    mode: Literal["REQUIRED", "NULLABLE"]
    description: str


FORECAST_TABLE: tuple[TableColumn, ...] = (
    TableColumn("series", "STRING", "REQUIRED", "The series' key, as JSON."),
    TableColumn("time", "TIMESTAMP", "REQUIRED", "The period that is forecast."),
    TableColumn("cutoff", "DATE", "REQUIRED", "The last period that was known."),
    TableColumn("quantile", "FLOAT64", "NULLABLE", "Null for the mean."),
    TableColumn("value", "FLOAT64", "REQUIRED", "The forecast."),
    TableColumn("version", "STRING", "REQUIRED", "The version that made it."),
    TableColumn("run", "STRING", "REQUIRED", "Digest of the run's inputs: a run is written once."),
    # Columns that came later stand last and are NULLABLE: BigQuery adds no others to a table that is there
    # (cloud.google.com/bigquery/docs/managing-table-schemas), and the Terraform provider makes the table anew for others.
    TableColumn(
        "method", "STRING", "NULLABLE",
        "What made the row: model, cold-start or ended. Null where the spec has no rule for new or ended series.",
    ),
)  # fmt: skip

ACTUAL_TABLE: tuple[TableColumn, ...] = (
    TableColumn("series", "STRING", "REQUIRED", "The series' key, as JSON."),
    TableColumn("time", "TIMESTAMP", "REQUIRED", "The period."),
    TableColumn("actual", "FLOAT64", "REQUIRED", "The actual value, once the period counts as complete."),
)
