"""Reads the schema version of a state, and refuses a version that this mlspec cannot use."""

from __future__ import annotations

import re

from mlspec.errors import StateError
from mlspec.installation import README
from mlspec.targets.record.schema import SCHEMA_VERSION
from mlspec.targets.record.store import Connection

NEXT_SERIAL = "UPDATE meta SET value = CAST(value AS BIGINT) + 1 WHERE key = 'serial'"
_NUMBER = re.compile(r"[0-9]{1,18}")
_FIRST = "INSERT INTO meta VALUES (?, ?)"


def read_schema_version(connection: Connection, place: str, recovery: str) -> int:
    """Return the schema version of a state. Raises StateError if this mlspec does not know it, or if the serial is no number.

    `place` names the state in messages, `recovery` is the hint for a damaged state.
    """
    rows = connection.execute("SELECT key, value FROM meta WHERE key IN ('schema_version', 'serial')").fetchall()
    values = {str(row["key"]): str(row["value"]) for row in rows}
    version_text, serial = values.get("schema_version", ""), values.get("serial", "")
    if not _NUMBER.fullmatch(serial):
        raise StateError(
            f"{place} has the serial {serial[:20]!r}, which is no number: it was edited by hand", hint=recovery
        )
    if not _NUMBER.fullmatch(version_text) or int(version_text) < 1:
        raise StateError(f"{place} holds no schema version", hint=recovery)
    if int(version_text) > SCHEMA_VERSION:
        raise StateError(
            f"{place} was written by a newer mlspec (schema {version_text}, this one reads {SCHEMA_VERSION})",
            hint=f"install a newer mlspec: {README}",
        )
    return int(version_text)


def refuse_older_schema(schema: int, place: str, upgrade_hint: str) -> None:
    """Raise StateError if a schema is older than this mlspec's."""
    if schema < SCHEMA_VERSION:
        raise StateError(
            f"{place} was written by an older mlspec (schema {schema}, this one uses {SCHEMA_VERSION})",
            hint=upgrade_hint,
        )


def initialize_meta(connection: Connection, lineage: str) -> None:
    """Write the schema version, the lineage and the first serial of a new state."""
    for entry in (("schema_version", str(SCHEMA_VERSION)), ("lineage", lineage), ("serial", "0")):
        connection.execute(_FIRST, entry)


def mark_upgraded(connection: Connection) -> None:
    """Record that a state now has this mlspec's schema."""
    connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(SCHEMA_VERSION),))
    connection.execute(NEXT_SERIAL)
