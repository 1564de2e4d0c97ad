"""Migrations of the state's schema, one script per version. A script only adds; it never changes recorded rows."""

from __future__ import annotations

from mlspec.targets.record.schema import LOOP

# Schema version of the state: the script that upgrades it to the next version.
MIGRATIONS: dict[int, str] = {1: LOOP}


def split_statements(script: str) -> list[str]:
    """Return a script's statements, to run inside one transaction. A statement has a semicolon only at its end."""
    return [part.strip() for part in script.split(";") if part.strip()]
