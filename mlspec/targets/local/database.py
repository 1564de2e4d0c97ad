"""The state file: one SQLite database. Readers open it read-only; writers hold a forecast's lock.

The database uses a rollback journal and not WAL. A reader leaves no file behind, so an `apply` with nothing to do changes no byte
of the folder, and a copy of the one file is a copy of the state. `synchronous = EXTRA` syncs the folder too, so a commit survives
a power failure
(https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from mlspec.errors import StateError
from mlspec.plain_files import refuse_links, refuse_shared_file
from mlspec.targets.local import durable
from mlspec.targets.local.lock import lock_folder
from mlspec.targets.local.schema import sqlite_schema
from mlspec.targets.record.connection_cache import ConnectionCache
from mlspec.targets.record.migrations import MIGRATIONS, split_statements
from mlspec.targets.record.schema import SCHEMA_VERSION
from mlspec.targets.record.version import (
    NEXT_SERIAL,
    initialize_meta,
    mark_upgraded,
    read_schema_version,
    refuse_older_schema,
)

BUSY_SECONDS = 30.0
_RECOVERY = "restore it from a backup, or move the folder away and run `mlspec apply` to build a new one"


class SqliteDatabase:
    """One state file. Nothing is created until the first write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._below = path.parent.parent  # where the target's own folder is
        self._cached: ConnectionCache[sqlite3.Connection] = ConnectionCache()

    def read_session(self) -> AbstractContextManager[None]:
        """Keep one connection for all reads inside the block. Each read still sees every commit before it."""
        return self._cached.keep_open(self.read_connection())

    @contextmanager
    def read_connection(self) -> Iterator[sqlite3.Connection | None]:
        """Yield a read-only connection, or None if nothing was ever written."""
        if self._cached.connection is not None:
            with self._explain_errors():
                yield self._cached.connection
            return
        with self._explain_errors():
            connection = self._open_to_read() if self.path.exists() else None
        if connection is None:
            yield None
            return
        try:
            with self._explain_errors():
                self._check_schema(connection)
                yield connection
        finally:
            connection.close()

    @contextmanager
    def write_transaction(
        self,
        point: str,
        forecast: str | None = None,  # noqa: ARG002
        *,
        keep_serial: bool = False,
    ) -> Iterator[sqlite3.Connection]:
        """Yield a connection inside a transaction, committed at the end. The serial grows by one unless `keep_serial`.

        `point` names the write. `forecast` is not needed, as a lock on this machine cannot be lost. Raises StateError if the file
        is damaged or cannot be written; then nothing has changed.
        """
        if not self.path.exists():
            self._create_state()
        with self._explain_errors():
            connection = self._open_connection("rw")
        try:
            with self._explain_errors():
                connection.execute("BEGIN IMMEDIATE")
                self._check_schema(connection)
                yield connection
                if not keep_serial:
                    connection.execute(NEXT_SERIAL)
            durable.commit(connection, point)
        finally:
            connection.close()

    def migrate_schema(self) -> str | None:
        """Upgrade the file's schema, completely or not at all. Return where the backup is, None if nothing was to do.

        The backup is a copy of the whole file before the upgrade, in the same folder. Raises StateError if the file is damaged.
        """
        with self._explain_errors():
            if not self.path.exists():
                return None
        with lock_folder(self.path.parent), self._explain_errors():
            connection = self._open_connection("rw")
            try:
                connection.execute("BEGIN IMMEDIATE")
                schema = self._read_schema(connection)
                if schema == SCHEMA_VERSION:
                    return None
                backup = self._back_up(connection, schema)
                for version in range(schema, SCHEMA_VERSION):
                    for statement in split_statements(MIGRATIONS[version]):
                        connection.execute(statement)
                mark_upgraded(connection)
                durable.commit(connection, "migrate")
            finally:
                connection.close()
        return f"the earlier state is kept in {backup}"

    def _back_up(self, connection: sqlite3.Connection, schema: int) -> Path:
        serial = connection.execute("SELECT value FROM meta WHERE key = 'serial'").fetchone()[0]
        backup = self.path.with_name(f"{self.path.name}.schema-{schema}.serial-{serial}.backup")
        if not backup.exists():
            durable.write_file([self.path.read_bytes()], backup, backup.with_suffix(".part"), below=self._below)
        return backup

    def _open_to_read(self) -> sqlite3.Connection:
        connection = self._open_connection("ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchall()
        except sqlite3.DatabaseError as error:
            connection.close()
            if "readonly" not in str(error).lower():
                raise
            # A killed writer left a journal that must be rolled back first. Only a connection for writing can do that.
            recovering = self._open_connection("rw")
            try:
                recovering.execute("SELECT 1 FROM sqlite_master").fetchall()
            finally:
                recovering.close()
            connection = self._open_connection("ro")
        return connection

    def _open_connection(self, mode: str) -> sqlite3.Connection:
        for path in (self.path, self.path.with_name(f"{self.path.name}-journal")):
            refuse_links(path, below=self._below)
            if mode != "ro":
                refuse_shared_file(path)
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        if mode != "ro":
            connection.execute("PRAGMA synchronous = EXTRA")
        return connection

    def _create_state(self) -> None:
        """Create the state file in one rename, so that there is never an empty file and only one lineage."""
        durable.make_folder(self.path.parent, below=self._below)
        with lock_folder(self.path.parent):
            if not self.path.exists():  # another run may have created it meanwhile
                draft = self.path.with_name(f".{self.path.name}.part")
                durable.write_file([_empty_state()], self.path, draft, below=self._below)

    def _check_schema(self, connection: sqlite3.Connection) -> None:
        upgrade_hint = "`mlspec migrate` upgrades it and keeps a backup"
        refuse_older_schema(self._read_schema(connection), f"the state file {self.path}", upgrade_hint)

    def _read_schema(self, connection: sqlite3.Connection) -> int:
        """Return the schema version of the state file. Raises StateError if this mlspec does not know it."""
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            written = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            problem = "was not written by mlspec" if written else "is empty, and mlspec never writes an empty one"
            raise StateError(f"the state file {self.path} {problem}", hint=_RECOVERY)
        return read_schema_version(connection, f"the state file {self.path}", _RECOVERY)

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Turn an error of SQLite into a StateError with a hint."""
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            raise durable.state_error(f"cannot use the state file {self.path}: {error}", error) from error
        except sqlite3.DatabaseError as error:
            raise StateError(f"the state file {self.path} is damaged: {error}", hint=_RECOVERY) from error


def _empty_state() -> bytes:
    """Return the bytes of an empty state file with a new lineage."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.executescript(sqlite_schema())
        initialize_meta(connection, str(uuid.uuid4()))
        return connection.serialize()
    finally:
        connection.close()
