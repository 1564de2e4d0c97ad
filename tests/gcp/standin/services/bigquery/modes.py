"""What BigQuery asks of the modes of a Parquet file's columns, of the schema that comes with a load, and of the table.

A load without a schema takes every column for NULLABLE, whatever the file says (github.com/googleapis/python-bigquery/issues/1981).
With one, the file's columns have to be of the same modes (github.com/googleapis/python-bigquery/issues/10), and the table's too
(github.com/googleapis/google-cloud-python/issues/8093). A column that the table lacks is added where the load allows that, and is
not REQUIRED (cloud.google.com/bigquery/docs/managing-table-schemas); schema update options go with a load that appends, or that
replaces a partition (cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad).
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tests.gcp.standin.refused import invalid
from tests.gcp.standin.rest import Json


def find_added(table: str, there: Sequence[Json], sent: Sequence[Json], options: Sequence[str]) -> list[Json]:
    """Return the fields that a load or a change adds to a table. Raises Refused where it may not."""
    known = {field["name"] for field in there}
    added = [field for field in sent if field["name"] not in known] if there else []
    if added and "ALLOW_FIELD_ADDITION" not in options:
        raise invalid(f"Provided Schema does not match Table {table}. Cannot add fields (field: {added[0]['name']})")
    required = next((field for field in added if field.get("mode") == "REQUIRED"), None)
    if required is not None:
        raise invalid(
            f"Provided Schema does not match Table {table}. Cannot add required fields to an existing schema."
            f" (field: {required['name']})"
        )
    return added


def check_options(options: Sequence[str], disposition: str, partition: str) -> None:
    """Raise Refused where schema update options come with a load that makes the table anew."""
    if options and disposition != "WRITE_APPEND" and not (disposition == "WRITE_TRUNCATE" and partition):
        raise invalid(
            "Schema update options should only be specified with WRITE_APPEND disposition, or with WRITE_TRUNCATE"
            " disposition on a table partition."
        )


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
