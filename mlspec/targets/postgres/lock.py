"""One writer per forecast over all machines: an advisory lock of the session, which the server frees when the session ends.

Writes under a lock use the session that holds the lock (`PostgresDatabase.write_through`). If a run is paused, the server ends its
session and another run takes the lock, then the paused run can no longer write.
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from mlspec.targets.postgres.connection import PostgresConnection
from mlspec.targets.postgres.database import PostgresDatabase
from mlspec.targets.record.locking import describe_holder, wait_for_lock


class PostgresLocks:
    """The locks of one database. The table `locks` holds the description of each holder."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    @contextmanager
    def lock_forecast(self, forecast: str, operation: str, since: str, timeout: float) -> Iterator[None]:
        """Lock one forecast. Raises LockHeld with the holder's description after `timeout` seconds of waiting."""
        with self._database.open_state() as connection:
            number = lock_number(forecast)
            wait_for_lock(
                lambda: _try_lock(connection, number), forecast, lambda: _read_holder(connection, forecast), timeout
            )
            _write_holder(connection, forecast, describe_holder(operation, since))
            try:
                with self._database.write_through(connection, forecast):
                    yield
            finally:
                _release_lock(connection, forecast, number)


def lock_number(forecast: str) -> int:
    """Return the number of a forecast's lock: 64 bits of its sha256, so that two forecasts have different numbers."""
    return int.from_bytes(hashlib.sha256(f"forecast {forecast}".encode()).digest()[:8], "big", signed=True)


def _try_lock(connection: PostgresConnection, number: int) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(?) AS taken", (number,)).fetchone()
    return bool(row and row["taken"])


def _read_holder(connection: PostgresConnection, forecast: str) -> str:
    row = connection.execute("SELECT holder FROM locks WHERE forecast = ?", (forecast,)).fetchone()
    return str(row["holder"]) if row else ""


def _write_holder(connection: PostgresConnection, forecast: str, words: str) -> None:
    connection.execute(
        "INSERT INTO locks VALUES (?, ?) ON CONFLICT (forecast) DO UPDATE SET holder = excluded.holder",
        (forecast, words),
    )


def _release_lock(connection: PostgresConnection, forecast: str, number: int) -> None:
    """Release a lock now, without waiting until the server notices the end of the session. A lost lock is free already."""
    with suppress(psycopg.Error):
        connection.execute("DELETE FROM locks WHERE forecast = ?", (forecast,))
        connection.execute("SELECT pg_advisory_unlock(?)", (number,))
