"""The interfaces that a record needs: database, files and locks. Each kind of store implements them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlspec.state.record import FileRef

Value = str | int | None


class ResultRows(Protocol):
    """The rows that a statement returned. A row gives a column's value by its name."""

    def __iter__(self) -> Iterator[Any]:
        """Return the rows that were not fetched yet."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows that were not fetched yet."""
        ...


class Connection(Protocol):
    """Runs SQL statements in one dialect, with `?` as the placeholder of a value."""

    def execute(self, statement: str, values: Sequence[Value] = ..., /) -> ResultRows:
        """Run one statement."""
        ...


class Database(Protocol):
    """Keeps rows. Nothing is created until the first write."""

    def read_session(self) -> AbstractContextManager[None]:
        """Keep one connection for all reads inside the block. The process must not fork inside the block."""
        ...

    def read_connection(self) -> AbstractContextManager[Connection | None]:
        """Yield a connection for reading, or None if nothing was ever written."""
        ...

    def write_transaction(
        self, point: str, forecast: str | None = None, *, keep_serial: bool = False
    ) -> AbstractContextManager[Connection]:
        """Yield a connection inside a transaction that is committed at the end. The serial grows by one.

        With `keep_serial` the serial does not change, so that a saved plan stays valid.

        All writes are serialised. `point` names the write. If this run has lost the lock of `forecast`, the write raises
        StateError and has no effect.
        """
        ...

    def migrate_schema(self) -> str | None:
        """Upgrade the state of an older schema to this one, completely or not at all.

        Return a sentence that says where the earlier state is kept, None if nothing was to do.
        """
        ...


class Files(Protocol):
    """Keeps files, named by their content."""

    def hash_files_once(self) -> AbstractContextManager[None]:
        """Compute the sha256 of each local file once per block, and again only if the file has changed."""
        ...

    def store_file(self, source: Path, owner: str) -> FileRef:
        """Store a copy of `source` unless it is stored already. `owner` is a forecast whose lock the caller holds."""
        ...

    def fetch_file(self, ref: FileRef) -> Path:
        """Return a local path of a file, after a check of its sha256. Raises StateError if the file is damaged."""
        ...

    def find_damage(self, ref: FileRef) -> str | None:
        """Return what is wrong with a stored file, or None. Downloads nothing."""
        ...

    def discard_file(self, ref: FileRef, owner: str) -> None:
        """Remove a file that no record references. `owner` is a forecast whose lock the caller holds."""
        ...

    def find_stored(self, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return those of the files that are stored, by their names alone."""
        ...

    def remove_files(self, refs: Collection[FileRef], connection: Connection) -> None:
        """Remove files within the transaction of `connection`. A file that is gone already is no error."""
        ...


class Locks(Protocol):
    """Locks that allow one writer per forecast."""

    def lock_forecast(self, forecast: str, operation: str, since: str, timeout: float) -> AbstractContextManager[None]:
        """Lock one forecast for this process. Raises LockHeld with the holder's name after `timeout` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Store:
    """A database, files and locks that belong together."""

    database: Database
    files: Files
    locks: Locks
