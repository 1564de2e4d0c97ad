"""The store of a package behind checks: what its code raises is told by package, file and line, and what it returns is of its type.

What runs inside a lock or a session is not the package's code, so its errors pass. What runs inside a connection's block are the
record's statements. They are tested with mlspec's own databases, so an error there that is not mlspec's is the package's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from mlspec.state.record import FileRef
from mlspec.targets.package.load import LoadedTarget
from mlspec.targets.record.store import Connection, Database, Files, Locks, Store

Entered = TypeVar("Entered")
_METHODS = {
    "database": ("read_session", "read_connection", "write_transaction", "migrate_schema"),
    "files": ("hash_files_once", "store_file", "fetch_file", "find_damage", "discard_file", "find_stored", "remove_files"),
    "locks": ("lock_forecast",),
}  # fmt: skip


def guard_store(store: object, loaded: LoadedTarget) -> Store:
    """Return a package's store behind checks. Raises BrokenTarget if it is none, or if a method is missing."""
    if not isinstance(store, Store):
        raise loaded.refuse_type("open_store", store, "a Store")
    for part, methods in _METHODS.items():
        value = getattr(store, part)
        missing = [name for name in methods if not callable(getattr(value, name, None))]
        if missing:
            names = ", ".join(missing)
            raise loaded.broken(f"`{part}` of the Store is of the type {type(value).__name__}, which lacks {names}")
    return Store(
        GuardedDatabase(store.database, loaded), GuardedFiles(store.files, loaded), GuardedLocks(store.locks, loaded)
    )


class GuardedDatabase:
    """A package's database behind checks."""

    def __init__(self, database: Database, loaded: LoadedTarget) -> None:
        self._database, self._loaded = database, loaded

    def read_session(self) -> AbstractContextManager[None]:
        """Keep one connection for all reads inside the block."""
        return _enter(self._loaded, "read_session", self._database.read_session)

    @contextmanager
    def read_connection(self) -> Iterator[Connection | None]:
        """Yield a connection for reading, or None if nothing was ever written."""
        with _enter(self._loaded, "read_connection", self._database.read_connection, own_block=True) as connection:
            if connection is not None:
                self._require_connection("read_connection", connection)
            yield connection

    @contextmanager
    def write_transaction(
        self, point: str, forecast: str | None = None, *, keep_serial: bool = False
    ) -> Iterator[Connection]:
        """Yield a connection inside a transaction that is committed at the end."""

        def open_block() -> AbstractContextManager[Connection]:
            return self._database.write_transaction(point, forecast, keep_serial=keep_serial)

        with _enter(self._loaded, "write_transaction", open_block, own_block=True) as connection:
            self._require_connection("write_transaction", connection)
            yield connection

    def migrate_schema(self) -> str | None:
        """Upgrade the state of an older schema to this one."""
        with self._loaded.tell_errors("migrate_schema"):
            told = self._database.migrate_schema()
        return _require(self._loaded, "migrate_schema", told, (str, type(None)), "a text or None")

    def _require_connection(self, method: str, connection: object) -> None:
        if not callable(getattr(connection, "execute", None)):
            raise self._loaded.refuse_type(method, connection, "a context manager of a connection with `execute`")


class GuardedFiles:
    """A package's files behind checks."""

    def __init__(self, files: Files, loaded: LoadedTarget) -> None:
        self._files, self._loaded = files, loaded

    def hash_files_once(self) -> AbstractContextManager[None]:
        """Compute the sha256 of each local file once per block."""
        return _enter(self._loaded, "hash_files_once", self._files.hash_files_once)

    def store_file(self, source: Path, owner: str) -> FileRef:
        """Store a copy of `source` unless it is stored already."""
        return self._call("store_file", lambda: self._files.store_file(source, owner), FileRef, "a FileRef")

    def fetch_file(self, ref: FileRef) -> Path:
        """Return a local path of a file, after a check of its sha256."""
        return self._call("fetch_file", lambda: self._files.fetch_file(ref), Path, "a Path")

    def find_damage(self, ref: FileRef) -> str | None:
        """Return what is wrong with a stored file, or None."""
        return self._call("find_damage", lambda: self._files.find_damage(ref), (str, type(None)), "a text or None")

    def discard_file(self, ref: FileRef, owner: str) -> None:
        """Remove a file that no record references."""
        with self._loaded.tell_errors("discard_file"):
            self._files.discard_file(ref, owner)

    def find_stored(self, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return those of the files that are stored."""
        found = self._call("find_stored", lambda: self._files.find_stored(refs), (set, frozenset), "a set of FileRef")
        return frozenset(found)

    def remove_files(self, refs: Collection[FileRef], connection: Connection) -> None:
        """Remove files within the transaction of `connection`."""
        with self._loaded.tell_errors("remove_files"):
            self._files.remove_files(refs, connection)

    def _call(self, method: str, run: Callable[[], Entered], kind: Any, expected: str) -> Entered:
        with self._loaded.tell_errors(method):
            value = run()
        return _require(self._loaded, method, value, kind, expected)


class GuardedLocks:
    """A package's locks behind checks."""

    def __init__(self, locks: Locks, loaded: LoadedTarget) -> None:
        self._locks, self._loaded = locks, loaded

    def lock_forecast(self, forecast: str, operation: str, since: str, timeout: float) -> AbstractContextManager[None]:
        """Lock one forecast for this process."""
        return _enter(
            self._loaded, "lock_forecast", lambda: self._locks.lock_forecast(forecast, operation, since, timeout)
        )


def _require(loaded: LoadedTarget, method: str, value: Entered, kind: Any, expected: str) -> Entered:
    """Return a value that a package's method returned. Raises BrokenTarget if it is of another type."""
    if not isinstance(value, kind):
        raise loaded.refuse_type(method, value, expected)
    return value


@contextmanager
def _enter(
    loaded: LoadedTarget,
    method: str,
    open_block: Callable[[], AbstractContextManager[Entered]],
    *,
    own_block: bool = False,
) -> Iterator[Entered]:
    """Enter and leave a context manager of a package.

    With `own_block`, an error inside the block is the package's too, unless it is one of mlspec. No package hides an error.
    """
    with loaded.tell_errors(method):
        manager: Any = open_block()
    if not (hasattr(manager, "__enter__") and hasattr(manager, "__exit__")):
        raise loaded.refuse_type(method, manager, "a context manager")
    with loaded.tell_errors(method):
        entered = manager.__enter__()
    with loaded.tell_errors(method) if own_block else nullcontext():
        try:
            yield entered
        except BaseException as error:
            with loaded.tell_errors(method, unless=error):
                manager.__exit__(type(error), error, error.__traceback__)
            raise
    with loaded.tell_errors(method):
        manager.__exit__(None, None, None)
