"""The record in one PostgreSQL database: everyone of a team reads and writes the same.

Writes come one after the other, as with SQLite: each begins by taking the row that holds the serial. The writes of a forecast whose
lock this run took go over the connection that holds the lock, so that a run which lost the lock has lost its pen too.
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
from mlspec.targets.postgres.connection import RECOVERY, Connection, connected, words_of
from mlspec.targets.postgres.schema import SCHEMA, in_postgres, script
from mlspec.targets.record.connection_cache import Kept
from mlspec.targets.record.migrations import MIGRATIONS
from mlspec.targets.record.schema import SCHEMA_VERSION
from mlspec.targets.record.version import NEXT_SERIAL, begin, found_schema, refuse_older, upgraded

_ONE_AT_A_TIME = 0x6D6C73706563  # "mlspec": who makes the tables holds the advisory lock of this number
_TABLES = "SELECT relname FROM pg_class JOIN pg_namespace spaces ON spaces.oid = relnamespace WHERE nspname = ?"
_BACKUP = f"`pg_dump --schema={SCHEMA} --file=mlspec.sql URL` keeps a copy"

# Writes come one after the other by it, also one that leaves it alone.
_THIS_SERIAL = "SELECT value FROM meta WHERE key = 'serial' FOR UPDATE"


class Database:
    """One state, in the schema `mlspec` of one database. Nothing is created until the first write, or the first lock."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.place = f"the state in {_shown(url)}"
        self._kept: Kept[Connection] = Kept()
        self._held: dict[tuple[int, str], Connection] = {}

    def session(self) -> AbstractContextManager[None]:
        """Keep one connection for all that is read inside the block; every look still sees what was committed before it."""
        return self._kept.session(self.reading())

    @contextmanager
    def reading(self) -> Iterator[Connection | None]:
        """Yield a connection that is open, or a read-only one; None where nothing was ever written."""
        with words_of(self.place):
            if forecast := next(self._held_here(), None):
                with self._over_lock(forecast) as held:
                    yield held
            elif self._kept.connection:
                yield self._kept.connection
            else:
                with connected(self.url, to_write=False) as connection:
                    yield connection if self._exists(connection) else None

    @contextmanager
    def writing(self, point: str, forecast: str | None = None, *, counts: bool = False) -> Iterator[Connection]:
        """Yield a connection inside a transaction that is committed at the end; the serial moves by one, or it only `counts`."""
        with self.transaction(point, forecast) as connection:
            connection.execute(_THIS_SERIAL if counts else NEXT_SERIAL)
            self._check(connection)
            yield connection

    @contextmanager
    def transaction(self, point: str, forecast: str | None = None) -> Iterator[Connection]:
        """Yield a connection inside a transaction that leaves the serial alone: for files, which are no record."""
        with words_of(self.place), self._to_write(forecast) as connection:
            connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            try:
                yield connection
                durable.commit(connection, point)
            except BaseException:
                with suppress(psycopg.Error):  # a session that is gone has taken its transaction with it
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def opened(self) -> Iterator[Connection]:
        """Yield a connection of its own to a state that is there."""
        with words_of(self.place), connected(self.url, to_write=True) as connection:
            if not self._exists(connection):
                self._create(connection)
            yield connection

    @contextmanager
    def over(self, connection: Connection, forecast: str) -> Iterator[None]:
        """Send what is written of a forecast inside the block over a connection: the one that holds its lock."""
        key = (os.getpid(), forecast)
        self._held[key] = connection
        try:
            yield
        finally:
            del self._held[key]

    def migrate(self) -> str | None:
        """Bring an older schema to this one in one transaction; a copy is the team's to make, before."""
        with words_of(self.place), connected(self.url, to_write=True) as connection:
            if self._schema(connection) in (None, SCHEMA_VERSION):
                return None
            connection.execute("BEGIN")
            connection.execute(_THIS_SERIAL)
            for version in range(found_schema(connection, self.place, RECOVERY), SCHEMA_VERSION):
                connection.run(in_postgres(MIGRATIONS[version]))
            upgraded(connection)
            durable.commit(connection, "migrate")
        return f"as it was, it is only in a dump that was made before: {_BACKUP}"

    def _to_write(self, forecast: str | None) -> AbstractContextManager[Connection]:
        return self._over_lock(forecast) if forecast and forecast in self._held_here() else self.opened()

    def _held_here(self) -> Iterator[str]:
        return (forecast for process, forecast in self._held if process == os.getpid())

    @contextmanager
    def _over_lock(self, forecast: str) -> Iterator[Connection]:
        """Yield the connection that holds a forecast's lock. Raises StateError where its session has ended."""
        held = self._held[os.getpid(), forecast]
        try:
            yield held
        except psycopg.Error as error:
            if not held.raw.closed:
                raise
            raise StateError(
                f"the lock of '{forecast}' was lost: the server ended the session that held it, and takes no write from this run",
                hint="run the same command again: it goes on from what was recorded",
            ) from error

    def _create(self, connection: Connection) -> None:
        """Put the state in place whole, in one transaction: never two lineages."""
        connection.execute("BEGIN")
        connection.execute("SELECT pg_advisory_xact_lock(?)", (_ONE_AT_A_TIME,))
        if connection.execute("SELECT to_regclass('meta') AS found").fetchone() == {"found": None}:
            if not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (SCHEMA,)).fetchone():
                connection.execute(f"CREATE SCHEMA {SCHEMA}")
            connection.run(script())
            begin(connection, str(uuid.uuid4()))
        durable.commit(connection, "create the state")

    def _exists(self, connection: Connection) -> bool:
        """Return whether there is a state. Raises StateError where there is one that this mlspec cannot use."""
        found = self._schema(connection)
        if found is None:
            return False
        self._refuse_older(found)
        return True

    def _check(self, connection: Connection) -> None:
        self._refuse_older(found_schema(connection, self.place, RECOVERY))

    def _refuse_older(self, found: int) -> None:
        refuse_older(found, self.place, f"{_BACKUP}; then `mlspec migrate` upgrades it, in one transaction")

    def _schema(self, connection: Connection) -> int | None:
        """Return the schema that the state has, None where there is no state. Not to be asked inside a transaction."""
        tables = {
            row["relname"] for row in connection.execute(_TABLES, (SCHEMA,))
        }  # one look: another run may be making them
        if "meta" in tables:
            return found_schema(connection, self.place, RECOVERY)
        if tables:
            said = f"{self.place} was not written by mlspec: the schema `{SCHEMA}` holds something else"
            raise StateError(said, hint=RECOVERY)
        return None


def _shown(url: str) -> str:
    """Return a URL as it may be shown: with neither a password nor parameters."""
    parts = urlsplit(url)
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"
