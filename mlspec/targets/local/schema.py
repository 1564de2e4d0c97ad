"""The record's tables and triggers in SQLite."""

from __future__ import annotations

from mlspec.targets.record.schema import LOOP, RECORDS, TABLES


def sqlite_schema() -> str:
    """Return the SQL that makes an empty state file, its triggers included."""
    refuse = "SELECT RAISE(ABORT, 'a record is never changed');"
    triggers = "".join(
        f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} BEGIN {refuse} END;\n"
        f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table}\n"
        f"WHEN (SELECT value FROM meta WHERE key = 'purging') IS NOT OLD.forecast BEGIN {refuse} END;\n"
        for table in RECORDS  # names of our own, no user's text
    )
    return TABLES + LOOP + triggers
