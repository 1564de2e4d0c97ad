"""A connection to PostgreSQL that takes statements in the record's words, and what is said where one fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg import conninfo, errors, pq, rows

from mlspec.errors import StateError, Terminated
from mlspec.targets.postgres.schema import SCHEMA, to_psycopg_sql
from mlspec.targets.record.store import Value

# Seconds. A host that vanished is noticed within a minute by both ends, so its locks are free then; a URL may say otherwise.
_DEFAULTS = {
    "application_name": "mlspec",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
# A run that is paused in the middle of a write would hold up all others: the server ends it, and its locks with it, before those
# who wait give up.
_SETTINGS = f"""
SET search_path = {SCHEMA};
SET lock_timeout = '30s';
SET idle_in_transaction_session_timeout = '20s';
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 10;
SET tcp_keepalives_count = 3;
"""
RECOVERY = (
    f"restore the database from a backup, or rename its schema `{SCHEMA}` and run `mlspec apply` to build it anew"
)
_WAYS_OUT: tuple[tuple[type[psycopg.Error], str], ...] = (
    (errors.InsufficientPrivilege, f"ask for the right to create, or to read and write, the schema `{SCHEMA}` of this database"),
    (errors.ReadOnlySqlTransaction, "this server only reads: name the primary in `state`"),
    (errors.DiskFull, "make room on the server's disk, then run the same command again: it goes on from what was recorded"),
    (errors.LockNotAvailable, "another session holds the state; run the command again when it is done"),
    (errors.InterfaceError, "run the same command again: it goes on from what was recorded"),
    (errors.OperationalError, "see that the server runs and lets you in (`psql` with the same URL), then run the command again"),
)  # fmt: skip


class PostgresConnection:
    """One connection, on which every statement is its own transaction until BEGIN is said."""

    def __init__(self, raw: psycopg.Connection[dict[str, Any]]) -> None:
        self.raw = raw

    def execute(self, statement: str, values: Sequence[Value] = (), /) -> psycopg.Cursor[dict[str, Any]]:
        """Run one statement, with `?` where a value goes. Raises ValueError as `to_psycopg_sql` does."""
        try:
            return self.raw.execute(to_psycopg_sql(statement).encode(), values or None)
        except Terminated:
            self._cancel_statement()
            raise

    def run_script(self, script: str) -> None:
        """Run a script of many statements."""
        self.raw.execute(script.encode())

    def _cancel_statement(self) -> None:
        """End a statement that SIGTERM broke into, as psycopg does for Ctrl-C: that is still to be recorded on this connection."""
        if self.raw.info.transaction_status == pq.TransactionStatus.ACTIVE:
            self.raw.cancel_safe(timeout=5.0)
            while self.raw.pgconn.get_result():
                pass


@contextmanager
def open_connection(url: str, *, to_write: bool) -> Iterator[PostgresConnection]:
    """Yield a connection that is closed at the end."""
    parameters = {**_DEFAULTS, **conninfo.conninfo_to_dict(url)}
    with closing(psycopg.connect(**parameters, autocommit=True, row_factory=rows.dict_row)) as raw:  # type: ignore[arg-type]
        connection = PostgresConnection(raw)
        connection.run_script(_SETTINGS + ("" if to_write else "SET default_transaction_read_only = on;"))
        yield connection


@contextmanager
def explain_errors(place: str) -> Iterator[None]:
    """Turn what the server says of a statement that failed into words for the person who must act. `place` names the state."""
    try:
        yield
    except psycopg.Error as error:
        message = str(error).strip().partition("\n")[0] or type(error).__name__
        recovery = next((hint for kind, hint in _WAYS_OUT if isinstance(error, kind)), RECOVERY)
        raise StateError(f"cannot use {place}: {message}", hint=recovery) from error
