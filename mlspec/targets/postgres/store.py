"""The store that a team shares, put together."""

from __future__ import annotations

from pathlib import Path

from mlspec.targets.local.artifacts import Artifacts
from mlspec.targets.postgres.database import Database
from mlspec.targets.postgres.files import Chunks
from mlspec.targets.postgres.lock import SessionLocks
from mlspec.targets.record.store import Store


def shared(url: str, folder: Path) -> Store:
    """Return the store in a database, with copies of its files in `folder`. Raises MissingExtra where psycopg is not there."""
    database = Database(url)
    return Store(database, Chunks(database, Artifacts(folder / "artifacts")), SessionLocks(database))
