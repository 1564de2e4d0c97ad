"""What a database of a package's own needs of mlspec: the record's tables and schema versions, connections, waiting for locks.

`TABLES` and `LOOP` are the SQL of an empty record, in SQLite's dialect. Another database translates them. It adds triggers that
refuse to update the tables of `RECORDS`, and to delete their rows unless `purging` in `meta` names the row's forecast.
"""

from __future__ import annotations

from mlspec.targets.record.connection_cache import ConnectionCache
from mlspec.targets.record.locking import describe_holder, wait_for_lock
from mlspec.targets.record.migrations import MIGRATIONS, split_statements
from mlspec.targets.record.schema import LOOP, RECORDS, SCHEMA_VERSION, TABLES
from mlspec.targets.record.version import (
    NEXT_SERIAL,
    initialize_meta,
    mark_upgraded,
    read_schema_version,
    refuse_older_schema,
)

__all__ = [
    "LOOP", "MIGRATIONS", "NEXT_SERIAL", "RECORDS", "SCHEMA_VERSION", "TABLES", "ConnectionCache", "describe_holder",
    "initialize_meta", "mark_upgraded", "read_schema_version", "refuse_older_schema", "split_statements", "wait_for_lock",
]  # fmt: skip
