"""The record of one forecast: a SQLite database that is kept as one object, read whole and written whole.

A write stands on the generation that was read, and the service refuses it where that has moved: two writers never overwrite one
another, and a commit is there whole or not at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlspec.errors import StateError
from mlspec.targets.gcp import durable
from mlspec.targets.gcp.images import Image, Images
from mlspec.targets.gcp.lease import Lease, lost
from mlspec.targets.gcp.storage import NEW, Moved
from mlspec.targets.local.schema import script
from mlspec.targets.record.migrations import MIGRATIONS, statements
from mlspec.targets.record.schema import SCHEMA_VERSION
from mlspec.targets.record.version import NEXT_SERIAL, begin, found_schema, refuse_older, upgraded

_RECOVERY = (
    "bring an earlier version of the object back: the bucket keeps the last ten (gcloud storage ls --all-versions)"
)


class Database:
    """The record of one forecast. Nothing is created until the first write; `lineage` gives the identity of a new one."""

    def __init__(self, images: Images, forecast: str, lineage: Callable[[], str]) -> None:
        self._images, self._forecast, self._lineage = images, forecast, lineage
        self._stands_on: Image | None = None  # while this process holds the lease, or for the length of a session
        self._lease: Lease | None = None

    @contextmanager
    def session(self) -> Iterator[None]:
        """Look at the record once for the length of a block."""
        if self._stands_on is not None:
            yield
            return
        self._stands_on = self._now()
        try:
            yield
        finally:
            self._stands_on = None

    @contextmanager
    def under(self, lease: Lease) -> Iterator[None]:
        """Stand on the record as it is now, for as long as a lease is held: whoever writes it meanwhile ends our writing."""
        self._lease, self._stands_on = lease, self._images.fresh(self._forecast) or Image(NEW, b"")
        try:
            yield
        finally:
            self._lease = self._stands_on = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Yield a connection to a copy, or None where nothing was ever written."""
        image = self._stands_on or self._now()
        if not image.data:
            yield None
            return
        with self._words(), _opened(image.data) as connection:
            self._refuse_older(connection)
            yield connection

    @contextmanager
    def writing(
        self,
        point: str,
        forecast: str | None = None,  # noqa: ARG002  (it is ours)
        *,
        counts: bool = False,
    ) -> Iterator[sqlite3.Connection]:
        """Yield a connection inside a transaction that is written at the end; the serial moves by one, unless it only `counts`.

        Raises StateError where the lease was lost, or where the record was written by somebody else meanwhile.
        """
        image = self._stands_on or self._now()
        data = image.data or self._first()
        with self._words(), _opened(data) as connection:
            self._refuse_older(connection)
            connection.execute("BEGIN")
            yield connection
            if not counts:
                connection.execute(NEXT_SERIAL)
            connection.execute("COMMIT")
            data = connection.serialize()
        try:
            written = durable.commit(self._images, self._forecast, data, image.generation, point)
        except Moved as error:
            raise self._moved() from error
        if self._stands_on is not None:
            self._stands_on = written

    def migrate(self) -> str | None:
        """Bring a record of an older schema to this one; the bucket keeps the one before as an earlier version."""
        image = self._images.get(self._forecast)
        if image is None:
            return None
        with self._words(), _opened(image.data) as connection:
            found = found_schema(connection, self._place, _RECOVERY)
            if found == SCHEMA_VERSION:
                return None
            connection.execute("BEGIN")
            for version in range(found, SCHEMA_VERSION):
                for statement in statements(MIGRATIONS[version]):
                    connection.execute(statement)
            upgraded(connection)
            connection.execute("COMMIT")
            data = connection.serialize()
        durable.commit(self._images, self._forecast, data, image.generation, "migrate")
        return f"as it was, it is generation {image.generation} of {self._place}"

    def remove(self) -> None:
        """Remove the record whole, with its history; a lease that is held has nothing to stand on any more."""
        self._images.remove(self._forecast)
        if self._stands_on is not None:
            self._stands_on = Image(NEW, b"")

    def _now(self) -> Image:
        return self._images.get(self._forecast) or Image(NEW, b"")

    def _first(self) -> bytes:
        with _opened(b"") as connection:
            connection.executescript(script())
            begin(connection, self._lineage())
            return connection.serialize()

    def _moved(self) -> StateError:
        if self._lease is not None:
            return lost(self._forecast)
        said = f"the record of '{self._forecast}' was written by another run at the same moment"
        return StateError(said, hint="run the same command again")

    def _refuse_older(self, connection: sqlite3.Connection) -> None:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            raise StateError(f"{self._place} was not written by mlspec", hint=_RECOVERY)
        way_on = "`mlspec migrate` upgrades it in place; the bucket keeps the one before"
        refuse_older(found_schema(connection, self._place, _RECOVERY), self._place, way_on)

    @contextmanager
    def _words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StateError(f"{self._place} cannot be used: {error}", hint=_RECOVERY) from error

    @property
    def _place(self) -> str:
        return f"the record of '{self._forecast}'"


@contextmanager
def _opened(data: bytes) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        if data:
            connection.deserialize(data)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection
    finally:
        connection.close()
