"""The record in one PostgreSQL database, which all members of a team read and write.

Writes are serialised, as with SQLite: each first locks the row that holds the serial. If this run holds a forecast's lock, it
writes that forecast over the connection that holds the lock. A run that has lost the lock can therefore no longer write.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from urllib.parse import urlsplit

import psycopg

from mlspec.errors import StateError
from mlspec.targets.postgres import durable
from mlspec.targets.postgres.connection import RECOVERY, PostgresConnection, explain_errors, open_connection
from mlspec.targets.postgres.schema import SCHEMA, postgres_schema, to_postgres_sql
from mlspec.targets.record.connection_cache import ConnectionCache
from mlspec.targets.record.migrations import MIGRATIONS
from mlspec.targets.record.schema import SCHEMA_VERSION
from mlspec.targets.record.version import (
    NEXT_SERIAL,
    initialize_meta,
    mark_upgraded,
    read_schema_version,
    refuse_older_schema,
)

_ONE_AT_A_TIME = (
    0x6D6C73706563  # "mlspec": the number of the advisory lock that a run holds while it creates the tables
)
_TABLES = "SELECT relname FROM pg_class JOIN pg_namespace spaces ON spaces.oid = relnamespace WHERE nspname = ?"
_BACKUP = f"`pg_dump --schema={SCHEMA} --file=mlspec.sql URL` makes a backup"

# Serialises the writes, also those that do not change the serial.
_THIS_SERIAL = "SELECT value FROM meta WHERE key = 'serial' FOR UPDATE"


class PostgresDatabase:
    """One state, in the schema `mlspec` of one database. Nothing is created until the first write or the first lock."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.place = f"the state in {_url_without_secrets(url)}"
        self._cached: ConnectionCache[PostgresConnection] = ConnectionCache()
        self._lock_connections: dict[tuple[int, str], PostgresConnection] = {}

    def read_session(self) -> AbstractContextManager[None]:
        """Keep one connection for all reads inside the block. Each read still sees every commit before it."""
        return self._cached.keep_open(self.read_connection())

    @contextmanager
    def read_connection(self) -> Iterator[PostgresConnection | None]:
        """Yield an open connection or a new read-only one; None if nothing was ever written."""
        with explain_errors(self.place):
            if forecast := next(self._locked_forecasts(), None):
                with self._lock_connection(forecast) as lock_connection:
                    yield lock_connection
            elif (cached := self._cached.connection) and not cached.raw.closed:
                yield cached
            else:
                with open_connection(self.url, to_write=False) as connection:
                    yield connection if self._state_exists(connection) else None

    @contextmanager
    def write_transaction(
        self, point: str, forecast: str | None = None, *, keep_serial: bool = False
    ) -> Iterator[PostgresConnection]:
        """Yield a connection inside a transaction, committed at the end. The serial grows by one unless `keep_serial`."""
        with self.plain_transaction(point, forecast) as connection:
            connection.execute(_THIS_SERIAL if keep_serial else NEXT_SERIAL)
            self._check_schema(connection)
            yield connection

    @contextmanager
    def plain_transaction(self, point: str, forecast: str | None = None) -> Iterator[PostgresConnection]:
        """Yield a connection inside a transaction that does not change the serial. It is for files, which are not records."""
        with explain_errors(self.place), self._write_connection(forecast) as connection:
            connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            try:
                yield connection
                durable.commit(connection, point)
            except BaseException:
                with suppress(psycopg.Error):  # a session that has ended has no transaction any more
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def open_state(self) -> Iterator[PostgresConnection]:
        """Yield a new connection for writing. Create the state first if there is none."""
        with explain_errors(self.place), open_connection(self.url, to_write=True) as connection:
            if not self._state_exists(connection):
                self._create_state(connection)
            yield connection

    @contextmanager
    def write_through(self, connection: PostgresConnection, forecast: str) -> Iterator[None]:
        """Write a forecast inside the block over `connection`, which holds the forecast's lock."""
        key = (os.getpid(), forecast)
        self._lock_connections[key] = connection
        try:
            yield
        finally:
            del self._lock_connections[key]

    def migrate_schema(self) -> str | None:
        """Upgrade an older schema to this one in one transaction. The team has to make a backup before."""
        with explain_errors(self.place), open_connection(self.url, to_write=True) as connection:
            if self._read_schema(connection) in (None, SCHEMA_VERSION):
                return None
            connection.execute("BEGIN")
            connection.execute(_THIS_SERIAL)
            for version in range(read_schema_version(connection, self.place, RECOVERY), SCHEMA_VERSION):
                connection.run_script(to_postgres_sql(MIGRATIONS[version]))
            mark_upgraded(connection)
            durable.commit(connection, "migrate")
        return f"the earlier state is kept only in a dump that you made before: {_BACKUP}"

    def _write_connection(self, forecast: str | None) -> AbstractContextManager[PostgresConnection]:
        return (
            self._lock_connection(forecast) if forecast and forecast in self._locked_forecasts() else self.open_state()
        )

    def _locked_forecasts(self) -> Iterator[str]:
        return (forecast for process, forecast in self._lock_connections if process == os.getpid())

    @contextmanager
    def _lock_connection(self, forecast: str) -> Iterator[PostgresConnection]:
        """Yield the connection that holds a forecast's lock. Raises StateError if its session has ended."""
        connection = self._lock_connections[os.getpid(), forecast]
        try:
            yield connection
        except psycopg.Error as error:
            if not connection.raw.closed:
                raise
            raise StateError(
                f"the lock of '{forecast}' was lost: the server ended this run's session, so this run can no longer write",
                hint="run the same command again: finished steps are not repeated",
            ) from error

    def _create_state(self, connection: PostgresConnection) -> None:
        """Create the state in one transaction, so that there is only one lineage."""
        connection.execute("BEGIN")
        connection.execute("SELECT pg_advisory_xact_lock(?)", (_ONE_AT_A_TIME,))
        if connection.execute("SELECT to_regclass('meta') AS found").fetchone() == {"found": None}:
            if not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (SCHEMA,)).fetchone():
                connection.execute(f"CREATE SCHEMA {SCHEMA}")
            connection.run_script(postgres_schema())
            initialize_meta(connection, str(uuid.uuid4()))
        durable.commit(connection, "create the state")

    def _state_exists(self, connection: PostgresConnection) -> bool:
        """Return whether there is a state. Raises StateError if this mlspec cannot use it."""
        schema = self._read_schema(connection)
        if schema is None:
            return False
        self._refuse_older(schema)
        return True

    def _check_schema(self, connection: PostgresConnection) -> None:
        self._refuse_older(read_schema_version(connection, self.place, RECOVERY))

    def _refuse_older(self, schema: int) -> None:
        refuse_older_schema(schema, self.place, f"{_BACKUP}; then `mlspec migrate` upgrades it, in one transaction")

    def _read_schema(self, connection: PostgresConnection) -> int | None:
        """Return the state's schema version; None if there is no state. Must not be called inside a transaction."""
        tables = {
            row["relname"] for row in connection.execute(_TABLES, (SCHEMA,))
        }  # one query: another run may be creating them
        if "meta" in tables:
            return read_schema_version(connection, self.place, RECOVERY)
        if tables:
            message = f"{self.place} was not written by mlspec: the schema `{SCHEMA}` holds other tables"
            raise StateError(message, hint=RECOVERY)
        return None


def _url_without_secrets(url: str) -> str:
    """Return a URL without user, password and parameters, for messages."""
    parts = urlsplit(url)
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"
