"""Which schema a state has, and what is said of one that this mlspec cannot use."""

from __future__ import annotations

from mlspec.errors import StateError
from mlspec.installation import README
from mlspec.targets.record.schema import SCHEMA_VERSION
from mlspec.targets.record.store import Connection

NEXT_SERIAL = "UPDATE meta SET value = CAST(value AS BIGINT) + 1 WHERE key = 'serial'"
_FIRST = "INSERT INTO meta VALUES (?, ?)"


def read_schema_version(connection: Connection, place: str, recovery: str) -> int:
    """Return the schema that a state says it has. Raises StateError where it is none that this mlspec knows.

    `place` names the state in messages, `recovery` says what to do about one that was damaged.
    """
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    version_text = "" if row is None else str(row["value"])
    if not version_text.isdigit() or int(version_text) < 1:
        raise StateError(f"{place} does not say which schema it has", hint=recovery)
    if int(version_text) > SCHEMA_VERSION:
        raise StateError(
            f"{place} was written by a newer mlspec (schema {version_text}, this one reads {SCHEMA_VERSION})",
            hint=f"install a newer mlspec: {README}",
        )
    return int(version_text)


def refuse_older_schema(schema: int, place: str, upgrade_hint: str) -> None:
    """Raise StateError where a schema is not this mlspec's."""
    if schema < SCHEMA_VERSION:
        raise StateError(
            f"{place} was written by an older mlspec (schema {schema}, this one uses {SCHEMA_VERSION})",
            hint=upgrade_hint,
        )


def initialize_meta(connection: Connection, lineage: str) -> None:
    """Say of a state in which nothing is recorded yet which it is."""
    for entry in (("schema_version", str(SCHEMA_VERSION)), ("lineage", lineage), ("serial", "0")):
        connection.execute(_FIRST, entry)


def mark_upgraded(connection: Connection) -> None:
    """Say that a state now has this mlspec's schema."""
    connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(SCHEMA_VERSION),))
    connection.execute(NEXT_SERIAL)
