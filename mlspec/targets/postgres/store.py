"""Assembles the shared store of a team."""

from __future__ import annotations

from pathlib import Path

from mlspec.targets.local.artifacts import FolderFiles
from mlspec.targets.postgres.database import PostgresDatabase
from mlspec.targets.postgres.files import PostgresFiles
from mlspec.targets.postgres.lock import PostgresLocks
from mlspec.targets.record.store import Store


def shared_store(url: str, folder: Path) -> Store:
    """Return the store in a database, with copies of its files in `folder`. Raises MissingExtra without psycopg."""
    database = PostgresDatabase(url)
    return Store(database, PostgresFiles(database, FolderFiles(folder / "artifacts")), PostgresLocks(database))
