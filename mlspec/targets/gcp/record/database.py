"""The record of one forecast: a SQLite database that is stored as one object and always read and written as a whole.

A write expects the generation that was read. The service refuses the write if another process has written the object since. So two
writers never overwrite each other, and a commit is stored completely or not at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlspec.errors import StateError
from mlspec.targets.gcp.record import durable
from mlspec.targets.gcp.record.bucket import NEW, WriteConflict
from mlspec.targets.gcp.record.lease import Lease, lock_lost_error
from mlspec.targets.gcp.record.snapshots import RecordSnapshot, SnapshotStore
from mlspec.targets.local.schema import sqlite_schema
from mlspec.targets.record.migrations import MIGRATIONS, split_statements
from mlspec.targets.record.schema import SCHEMA_VERSION
from mlspec.targets.record.version import (
    NEXT_SERIAL,
    initialize_meta,
    mark_upgraded,
    read_schema_version,
    refuse_older_schema,
)

_RECOVERY = "restore an earlier version of the object: the bucket keeps the last ten (gcloud storage ls --all-versions)"


class BucketDatabase:
    """The record of one forecast. Nothing is created until the first write. `lineage` returns a new record's unique id."""

    def __init__(self, snapshots: SnapshotStore, forecast: str, lineage: Callable[[], str]) -> None:
        self._snapshots, self._forecast, self._lineage = snapshots, forecast, lineage
        self._base_snapshot: RecordSnapshot | None = None  # set while this process holds the lease or a session is open
        self._lease: Lease | None = None

    @contextmanager
    def read_session(self) -> Iterator[None]:
        """Read the record once per block."""
        if self._base_snapshot is not None:
            yield
            return
        self._base_snapshot = self._current_snapshot()
        try:
            yield
        finally:
            self._base_snapshot = None

    @contextmanager
    def under_lease(self, lease: Lease) -> Iterator[None]:
        """Base all writes under a lease on the current record. If another process writes it, later writes fail."""
        self._lease, self._base_snapshot = (
            lease,
            self._snapshots.read_fresh_snapshot(self._forecast) or RecordSnapshot(NEW, b""),
        )
        try:
            yield
        finally:
            self._lease = self._base_snapshot = None

    @contextmanager
    def read_connection(self) -> Iterator[sqlite3.Connection | None]:
        """Yield a connection to a copy in memory, or None if nothing was ever written."""
        snapshot = self._base_snapshot or self._current_snapshot()
        if not snapshot.data:
            yield None
            return
        with self._explain_errors(), _open_copy(snapshot.data) as connection:
            self._refuse_older(connection)
            yield connection

    @contextmanager
    def write_transaction(
        self,
        point: str,
        forecast: str | None = None,  # noqa: ARG002  (this database has one forecast)
        *,
        keep_serial: bool = False,
    ) -> Iterator[sqlite3.Connection]:
        """Yield a connection inside a transaction, written at the end. The serial grows by one unless `keep_serial`.

        Raises StateError if the lease was lost, or if another process wrote the record meanwhile.
        """
        snapshot = self._base_snapshot or self._current_snapshot()
        data = snapshot.data or self._empty_state()
        with self._explain_errors(), _open_copy(data) as connection:
            self._refuse_older(connection)
            connection.execute("BEGIN")
            yield connection
            if not keep_serial:
                connection.execute(NEXT_SERIAL)
            connection.execute("COMMIT")
            data = _packed(connection)
        try:
            written = durable.commit(self._snapshots, self._forecast, data, snapshot.generation, point)
        except WriteConflict as error:
            raise self._conflict_error() from error
        if self._base_snapshot is not None:
            self._base_snapshot = written

    def migrate_schema(self) -> str | None:
        """Upgrade the record's schema. The bucket keeps the earlier record as a noncurrent version."""
        snapshot = self._snapshots.read_snapshot(self._forecast)
        if snapshot is None:
            return None
        with self._explain_errors(), _open_copy(snapshot.data) as connection:
            schema = read_schema_version(connection, self._place, _RECOVERY)
            if schema == SCHEMA_VERSION:
                return None
            connection.execute("BEGIN")
            for version in range(schema, SCHEMA_VERSION):
                for statement in split_statements(MIGRATIONS[version]):
                    connection.execute(statement)
            mark_upgraded(connection)
            connection.execute("COMMIT")
            data = connection.serialize()
        durable.commit(self._snapshots, self._forecast, data, snapshot.generation, "migrate")
        return f"the earlier state is generation {snapshot.generation} of {self._place}"

    def remove_record(self) -> None:
        """Remove the record with its history. Under a lease, later writes start from an empty record."""
        self._snapshots.remove_record(self._forecast)
        if self._base_snapshot is not None:
            self._base_snapshot = RecordSnapshot(NEW, b"")

    def _current_snapshot(self) -> RecordSnapshot:
        return self._snapshots.read_snapshot(self._forecast) or RecordSnapshot(NEW, b"")

    def _empty_state(self) -> bytes:
        with _open_copy(b"") as connection:
            connection.executescript(sqlite_schema())
            initialize_meta(connection, self._lineage())
            return connection.serialize()

    def _conflict_error(self) -> StateError:
        if self._lease is not None:
            return lock_lost_error(self._forecast)
        message = f"the record of '{self._forecast}' was written by another run at the same moment"
        return StateError(message, hint="run the same command again")

    def _refuse_older(self, connection: sqlite3.Connection) -> None:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            raise StateError(f"{self._place} was not written by mlspec", hint=_RECOVERY)
        upgrade_hint = "`mlspec migrate` upgrades it; the bucket keeps the earlier one"
        refuse_older_schema(read_schema_version(connection, self._place, _RECOVERY), self._place, upgrade_hint)

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StateError(f"{self._place} cannot be used: {error}", hint=_RECOVERY) from error

    @property
    def _place(self) -> str:
        return f"the record of '{self._forecast}'"


@contextmanager
def _open_copy(data: bytes) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        if data:
            connection.deserialize(data)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection
    finally:
        connection.close()


def _packed(connection: sqlite3.Connection) -> bytes:
    """Return the bytes of the database. If most of its pages are free after a prune, they are left out: each write uploads all."""
    free, pages = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
    if free > pages // 2:
        connection.execute("VACUUM")
    return connection.serialize()
