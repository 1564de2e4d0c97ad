"""Every commit to PostgreSQL, in one place, named for the tests that kill the process before and after it."""

from __future__ import annotations

from mlspec.targets.postgres.connection import PostgresConnection


def commit(connection: PostgresConnection, point: str) -> None:  # noqa: ARG001  (`point` names the write where this is wrapped)
    """Commit the open transaction. What returns from here is on the server's disk: `synchronous_commit` is its own to set."""
    connection.execute("COMMIT")
