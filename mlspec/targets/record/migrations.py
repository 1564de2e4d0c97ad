"""From one schema of the state to the next, a script each. A script adds; what was recorded before stays as it was."""

from __future__ import annotations

from mlspec.targets.record.schema import LOOP

# The schema that a state has: what makes it the next one.
MIGRATIONS: dict[int, str] = {1: LOOP}


def split_statements(script: str) -> list[str]:
    """Return a script's statements, to be run inside one transaction. Ours hold no semicolon but at their ends."""
    return [part.strip() for part in script.split(";") if part.strip()]
