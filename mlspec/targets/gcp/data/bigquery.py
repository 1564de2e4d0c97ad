"""BigQuery: tables and queries that forecasts read, and the table that each forecast is written to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlspec.errors import DataError, MlspecError, TargetError
from mlspec.spec.data_files import TableFile
from mlspec.spec.dataset import Source
from mlspec.spec.forecast import Forecast
from mlspec.spec.gcp.forecast_table import ACTUAL_TABLE, FORECAST_TABLE, TableColumn
from mlspec.spec.gcp.labels import MANAGED_BY
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.state.record import ForecastRun
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.data.forecast_table import write_actual_table, write_long_table
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries
from mlspec.temporary_folder import temporary_folder

_READS_ROWS = "bigquery.tables.getData"  # the permission that an account lacks for a table that it may not read
_LONG = 1800.0  # seconds that a query may take
# The digest of a query's result: the same rows are the same data, whatever the tables.
_DIGEST = "SELECT COUNT(*) AS rows_, CAST(BIT_XOR(FARM_FINGERPRINT(TO_JSON_STRING(t))) AS STRING) AS digest FROM (\n{query}\n) AS t"


class Warehouse:
    """BigQuery in one project. Inside a session each table is inspected once."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._seen: dict[str, tuple[str, tuple[str, ...], int]] | None = None

    def begin_session(self) -> None:
        """Cache the facts of each source from now on."""
        self._seen = {}

    def end_session(self) -> None:
        """Stop caching."""
        self._seen = None

    def inspect_source(self, source: Source | TableFile, field: str) -> tuple[str, tuple[str, ...], int]:
        """Return the digest of a table's or query's current content, its name, and its size in bytes."""
        query = source.query if isinstance(source, Source) else None
        key = str(source.uri or query)
        if self._seen is not None and key in self._seen:
            return self._seen[key]
        facts = self._inspect_query(key, field) if query else self._inspect_table(key, field)
        if self._seen is not None:
            self._seen[key] = facts
        return facts

    def fetch_rows(self, source: Source | TableFile, destination: Path, field: str) -> None:
        """Write a table's or a query's rows to a Parquet file."""
        from pyarrow import parquet

        query = source.query if isinstance(source, Source) else None
        query = query or f"SELECT * FROM `{str(source.uri).removeprefix('bq://')}`"  # noqa: S608  (checked by the spec)
        rows = self._run_query(query, field)
        parquet.write_table(
            call_with_retries(lambda: rows.to_arrow(create_bqstorage_client=False), f"read {field}"), destination
        )

    def publish_forecast(self, forecast: str, spec: Forecast, run: ForecastRun, source: Path) -> None:
        """Write a forecast into its table. Idempotent: a second call for the same run changes nothing.

        The rows of one cutoff are one partition, which a load job replaces in one step. So the table holds the newest forecast of
        each cutoff
        (https://cloud.google.com/bigquery/docs/managing-partitioned-table-data#write-to-partition).
        """
        names = derived_names(forecast)
        with temporary_folder() as folder:
            rows = folder / "rows.parquet"
            cutoff = write_long_table(source, rows, spec, run.files["forecast"].sha256[:16])
            table = f"{names['BigQuery dataset']}.{names['BigQuery table']}${cutoff:%Y%m%d}"
            self._load_partition(rows, f"{self._clients.project}.{table}", FORECAST_TABLE)

    def publish_actuals(self, forecast: str, year: str, source: Path) -> None:
        """Write a year's actual values into their table, whose partition of that year holds these alone then."""
        names = derived_names(forecast)
        with temporary_folder() as folder:
            rows = folder / "rows.parquet"
            write_actual_table(source, rows)
            table = f"{names['BigQuery dataset']}.{names['BigQuery table of actuals']}${year}"
            self._load_partition(rows, f"{self._clients.project}.{table}", ACTUAL_TABLE)

    def _load_partition(self, rows: Path, table: str, columns: Sequence[TableColumn]) -> None:
        """Replace a partition of a forecast's table by the rows of a Parquet file with these columns."""
        from google.api_core.exceptions import NotFound
        from google.cloud import bigquery

        settings = bigquery.LoadJobConfig(
            source_format="PARQUET",
            create_disposition="CREATE_NEVER",
            write_disposition="WRITE_TRUNCATE",
            # A table that an older mlspec made has fewer columns, until an apply changes it.
            schema_update_options=["ALLOW_FIELD_ADDITION"],
            labels=dict(MANAGED_BY),
            # Without it BigQuery takes every column of the file for NULLABLE, and refuses the load into REQUIRED ones
            # (github.com/googleapis/python-bigquery/issues/1981).
            schema=[bigquery.SchemaField(column.name, column.type, column.mode) for column in columns],
        )

        def load_partition() -> None:
            with rows.open("rb") as file:
                job = self._client.load_table_from_file(
                    file, table, job_config=settings, num_retries=0, timeout=TIMEOUT
                )
            job.result(retry=None, timeout=_LONG)

        try:
            call_with_retries(load_partition, f"write to {table}")
        except NotFound as error:
            raise TargetError(
                f"cannot write to {table}: {error.message}",
                hint="run `mlspec apply`: it creates the table",
            ) from error

    def _inspect_table(self, uri: str, field: str) -> tuple[str, tuple[str, ...], int]:
        from google.api_core.exceptions import NotFound

        name = uri.removeprefix("bq://")
        try:
            table = call_with_retries(
                lambda: self._client.get_table(name, retry=None, timeout=TIMEOUT), f"look at {uri}"
            )
        except NotFound as error:
            raise DataError(
                f"{field}: the table {uri} does not exist", hint="correct the address in the spec"
            ) from error
        words = f"{name} {table.modified.isoformat()} {table.num_rows}"
        return hashlib.sha256(words.encode()).hexdigest(), (uri,), int(table.num_bytes or 0)

    def _inspect_query(self, query: str, field: str) -> tuple[str, tuple[str, ...], int]:
        (row,) = self._run_query(_DIGEST.format(query=query.strip().rstrip(";")), field)
        words = f"{query} {row['rows_']} {row['digest']}"
        return hashlib.sha256(words.encode()).hexdigest(), ("query",), 0

    def _run_query(self, query: str, field: str) -> Any:
        from google.api_core.exceptions import NotFound

        try:
            return call_with_retries(
                lambda: self._client.query(query, retry=None, job_retry=None, timeout=TIMEOUT).result(
                    retry=None, timeout=_LONG
                ),
                f"run the query of {field}",
            )
        except NotFound as error:
            raise DataError(
                f"{field}: BigQuery refused the query: {error.message}", hint="correct the query in the spec"
            ) from error
        except TargetError as error:
            raise _query_error(error, field) from error

    @property
    def _client(self) -> Any:
        return self._clients.warehouse


def _query_error(error: TargetError, field: str) -> MlspecError:
    """Return what to say of a query that failed: the SQL is wrong, or a table may not be read, or what was said already."""
    from google.api_core.exceptions import BadRequest

    if isinstance(error.__cause__, BadRequest):
        said = f"{field}: BigQuery refused the query: {error.__cause__.message}"
        return DataError(said, hint="correct the query in the spec")
    if _READS_ROWS in error.message:
        return TargetError(
            error.message,
            hint="name the query's datasets under dataset.source.datasets and apply: that lets the forecast's accounts read. "
            "`mlspec doctor` says what the owner of another project has to grant",
        )
    return error
