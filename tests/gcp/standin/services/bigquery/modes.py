"""What BigQuery asks of the modes of a Parquet file's columns, of the schema that comes with a load, and of the table.

A load without a schema takes every column for NULLABLE, whatever the file says (github.com/googleapis/python-bigquery/issues/1981).
With one, the file's columns have to be of the same modes (github.com/googleapis/python-bigquery/issues/10), and the table's too
(github.com/googleapis/google-cloud-python/issues/8093).
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tests.gcp.standin.refused import invalid
from tests.gcp.standin.rest import Json


def compare(table: str, there: Sequence[Json], sent: Sequence[Json], file: pa.Schema) -> None:
    """Raise Refused where the modes of a load differ from the file's, or from those of the table's fields that are `there`."""
    given = {field["name"]: field.get("mode") or "NULLABLE" for field in sent}
    for column in file:
        mode = "NULLABLE" if column.nullable else "REQUIRED"
        if given and column.name in given and given[column.name] not in (mode, "REPEATED"):
            raise invalid(
                "Error while reading data, error message: Provided schema is not compatible with the file."
                f" Field '{column.name}' is specified as {given[column.name]} in provided schema which does not match"
                f" {mode} as specified in the file."
            )
    for field in there:
        new = given.get(field["name"], "NULLABLE")
        if field.get("mode") == "REQUIRED" and new != "REQUIRED":
            raise invalid(
                f"Provided Schema does not match Table {table}. Field {field['name']} has changed mode from REQUIRED to {new}"
            )
