"""The record's tables and triggers in SQLite."""

from __future__ import annotations

from mlspec.targets.record.schema import LOOP, RECORDS, TABLES


def sqlite_schema() -> str:
    """Return the SQL that creates an empty state file, with its triggers."""
    refuse = "SELECT RAISE(ABORT, 'a record is never changed');"
    triggers = "".join(
        f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} BEGIN {refuse} END;\n"
        f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table}\n"
        f"WHEN (SELECT value FROM meta WHERE key = 'purging') IS NOT OLD.forecast BEGIN {refuse} END;\n"
        for table in RECORDS  # constants, no user input
    )
    return TABLES + LOOP + triggers
