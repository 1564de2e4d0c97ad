"""Every commit to PostgreSQL goes through this module. Tests kill the process before and after each commit, by its name."""

from __future__ import annotations

from mlspec.targets.postgres.connection import PostgresConnection


def commit(connection: PostgresConnection, point: str) -> None:  # noqa: ARG001  (tests wrap this function and read `point`)
    """Commit the open transaction. Afterwards it is on the server's disk, as far as its `synchronous_commit` guarantees."""
    connection.execute("COMMIT")
