"""What a record stands on. Each kind of store answers these in its own way, and knows no noun of the engine but FileRef."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlspec.state.record import FileRef

Value = str | int | None


class ResultRows(Protocol):
    """What a statement found; each row gives a column's value by its name."""

    def __iter__(self) -> Iterator[Any]:
        """Return the rows that were not taken yet."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows that were not taken yet."""
        ...


class Connection(Protocol):
    """Someone who runs statements: one dialect, with `?` where a value goes."""

    def execute(self, statement: str, values: Sequence[Value] = ..., /) -> ResultRows:
        """Run one statement."""
        ...


class Database(Protocol):
    """Where rows are kept. Nothing is created until the first write."""

    def read_session(self) -> AbstractContextManager[None]:
        """Keep one connection for all that is read inside the block. Not to be held across a fork."""
        ...

    def read_connection(self) -> AbstractContextManager[Connection | None]:
        """Yield a connection to read with, or None where nothing was ever written."""
        ...

    def write_transaction(
        self, point: str, forecast: str | None = None, *, keep_serial: bool = False
    ) -> AbstractContextManager[Connection]:
        """Yield a connection inside a transaction that is committed at the end, with the serial moved by one.

        What only `counts` leaves the serial alone: a saved plan does not depend on it.

        Writes come one after the other, whoever makes them. `point` names the write. Where this run took the lock of `forecast` and
        has lost it, the write raises StateError, and there is no effect.
        """
        ...

    def migrate_schema(self) -> str | None:
        """Bring the state of an older schema to this one, whole or not at all.

        Returns a sentence on where it is as it was, None where there was nothing to do.
        """
        ...


class Files(Protocol):
    """Where files are kept, by their content."""

    def hash_files_once(self) -> AbstractContextManager[None]:
        """Read each file here for its sha256 once for the length of a block, and again only where it was changed meanwhile."""
        ...

    def store_file(self, source: Path, owner: str) -> FileRef:
        """Keep a copy of `source`, once. `owner` is a forecast whose lock the caller holds."""
        ...

    def fetch_file(self, ref: FileRef) -> Path:
        """Return where a file can be read, after checking it against its sha256. Raises StateError if it is damaged."""
        ...

    def find_damage(self, ref: FileRef) -> str | None:
        """Return what is wrong with a stored file, as far as the store can tell without moving it, or None."""
        ...

    def discard_file(self, ref: FileRef, owner: str) -> None:
        """Remove a file that nothing names any more. `owner` is a forecast whose lock the caller holds."""
        ...


class Locks(Protocol):
    """One writer a forecast."""

    def lock_forecast(self, forecast: str, operation: str, since: str, timeout: float) -> AbstractContextManager[None]:
        """Hold one forecast alone. Raises LockHeld, naming the holder, after `timeout` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Store:
    """A database, files and locks that belong together."""

    database: Database
    files: Files
    locks: Locks
