"""A connection to PostgreSQL that runs the record's statements, and the messages for failed statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg import conninfo, errors, pq, rows

from mlspec.errors import StateError, Terminated
from mlspec.targets.postgres.schema import SCHEMA, to_psycopg_sql
from mlspec.targets.record.store import Value

# Seconds. Both sides notice a lost host within a minute, which frees its locks. The URL may override these values.
_DEFAULTS = {
    "application_name": "mlspec",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
# A run that is paused in the middle of a write would block all others. The server ends its session, and frees its locks, before
# the waiting runs time out.
_SETTINGS = f"""
SET search_path = {SCHEMA};
SET lock_timeout = '30s';
SET idle_in_transaction_session_timeout = '20s';
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 10;
SET tcp_keepalives_count = 3;
"""
RECOVERY = (
    f"restore the database from a backup, or rename its schema `{SCHEMA}` and run `mlspec apply` to build a new one"
)
_WAYS_OUT: tuple[tuple[type[psycopg.Error], str], ...] = (
    (errors.InsufficientPrivilege, f"ask for the right to create, or to read and write, the schema `{SCHEMA}` of this database"),
    (errors.ReadOnlySqlTransaction, "this server is read-only: name the primary in `state`"),
    (errors.DiskFull, "free space on the server's disk, then run the same command again: finished steps are not repeated"),
    (errors.LockNotAvailable, "another session has locked the state: run the command again when that session has ended"),
    (errors.InterfaceError, "run the same command again: finished steps are not repeated"),
    (errors.OperationalError, "check that the server runs and you can log in (`psql` with the same URL), then run this again"),
)  # fmt: skip


class PostgresConnection:
    """One connection in autocommit mode: every statement is its own transaction until BEGIN."""

    def __init__(self, raw: psycopg.Connection[dict[str, Any]]) -> None:
        self.raw = raw

    def execute(self, statement: str, values: Sequence[Value] = (), /) -> psycopg.Cursor[dict[str, Any]]:
        """Run one statement, with `?` as the placeholder of a value. Raises the ValueError of `to_psycopg_sql`."""
        try:
            return self.raw.execute(to_psycopg_sql(statement).encode(), values or None)
        except Terminated:
            self._cancel_statement()
            raise

    def run_script(self, script: str) -> None:
        """Run a script of many statements."""
        self.raw.execute(script.encode())

    def _cancel_statement(self) -> None:
        """Cancel the statement that SIGTERM interrupted, so that this connection can still record the interruption."""
        if self.raw.info.transaction_status == pq.TransactionStatus.ACTIVE:
            self.raw.cancel_safe(timeout=5.0)
            while self.raw.pgconn.get_result():
                pass


@contextmanager
def open_connection(url: str, *, to_write: bool) -> Iterator[PostgresConnection]:
    """Yield a connection and close it at the end."""
    parameters = {**_DEFAULTS, **conninfo.conninfo_to_dict(url)}
    with closing(psycopg.connect(**parameters, autocommit=True, row_factory=rows.dict_row)) as raw:  # type: ignore[arg-type]
        connection = PostgresConnection(raw)
        connection.run_script(_SETTINGS + ("" if to_write else "SET default_transaction_read_only = on;"))
        yield connection


@contextmanager
def explain_errors(place: str) -> Iterator[None]:
    """Turn an error of the server into a StateError with a hint. `place` names the state."""
    try:
        yield
    except psycopg.Error as error:
        message = str(error).strip().partition("\n")[0] or type(error).__name__
        recovery = next((hint for kind, hint in _WAYS_OUT if isinstance(error, kind)), RECOVERY)
        raise StateError(f"cannot use {place}: {message}", hint=recovery) from error
