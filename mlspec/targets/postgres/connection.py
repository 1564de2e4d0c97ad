"""A connection to PostgreSQL that runs the record's statements, and the messages for failed statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg import conninfo, errors, pq, rows

from mlspec.errors import StateError, StateUnreachable, Terminated
from mlspec.spec.checks.database import ENCRYPTING, is_this_machine
from mlspec.targets.postgres.schema import SCHEMA, to_psycopg_sql
from mlspec.targets.record.store import Value

# Seconds. Both sides notice a lost host within a minute, which frees its locks. The URL may override these values.
_DEFAULTS = {
    "application_name": "mlspec",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # ms: keepalives do not count while sent data is not acknowledged
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
        _refuse_plain_text(raw)
        connection = PostgresConnection(raw)
        connection.run_script(_SETTINGS + ("" if to_write else "SET default_transaction_read_only = on;"))
        yield connection


def _refuse_plain_text(raw: psycopg.Connection[dict[str, Any]]) -> None:
    """Raise StateError if the server is on another machine, and the connection may be without TLS.

    The URL is checked before (`spec.checks.database`). This finds what PGHOST, PGSSLMODE or a service file have set.
    """
    mode = next((option.val or b"" for option in raw.pgconn.info if option.keyword == b"sslmode"), b"").decode()
    if mode in ENCRYPTING or is_this_machine(raw.info.hostaddr or raw.info.host):
        return
    raise StateError(
        f"the database is on another machine, and sslmode is {mode or 'prefer'}: no statement was sent to it",
        hint="set PGSSLMODE=verify-full, or sslmode=verify-full in the service file or the URL; at least `require`",
    )


@contextmanager
def explain_errors(place: str) -> Iterator[None]:
    """Turn an error of the server into a StateError with a hint. `place` names the state.

    It is a StateUnreachable if the same statement may succeed later.
    """
    try:
        yield
    except psycopg.Error as error:
        message = str(error).strip().partition("\n")[0] or type(error).__name__
        recovery = next((hint for kind, hint in _WAYS_OUT if isinstance(error, kind)), RECOVERY)
        kind = StateUnreachable if _may_pass(error) else StateError
        raise kind(f"cannot use {place}: {message}", hint=recovery) from error


def _may_pass(error: psycopg.Error) -> bool:
    """Return whether the server is away, starting, stopping, or too busy, or a lock was not free in time.

    A failed connection has no code: libpq gives a text. So a wrong password counts too; `explain_errors` gives the server's words.
    """
    if isinstance(error, errors.DiskFull):
        return False
    return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
