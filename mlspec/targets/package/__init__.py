"""What a package imports to bring a kind of target, and all of it that is public. docs/own-target.md shows it at work.

A package makes a `PackageTarget` and names it by an entry point of the group `mlspec.targets`. The entry point's name is the `type`
of its targets in mlspec.yaml. The package brings a place for the record, a `Store`: a database, files and locks. mlspec keeps the
whole record in it. `SqliteDatabase`, `FolderFiles` and `FolderLocks` are mlspec's own parts, for what a package keeps on this
machine. A database of your own also needs `targets.package.database`; `targets.contract` has the tests for every store.
"""

from __future__ import annotations

from mlspec.errors import LockHeld, StateError, StateUnreachable
from mlspec.spec.fields import SecretName
from mlspec.spec.package_settings import PackageSettings
from mlspec.state.finding import Finding
from mlspec.state.record import FileRef
from mlspec.targets.local.artifacts import FolderFiles
from mlspec.targets.local.database import SqliteDatabase
from mlspec.targets.local.lock import FolderLocks
from mlspec.targets.package.port import PackageTarget, TargetPlace
from mlspec.targets.record.store import Connection, Database, Files, Locks, ResultRows, Store

__all__ = [
    "Connection", "Database", "FileRef", "Files", "Finding", "FolderFiles", "FolderLocks", "LockHeld", "Locks", "PackageSettings",
    "PackageTarget", "ResultRows", "SecretName", "SqliteDatabase", "StateError", "StateUnreachable", "Store", "TargetPlace",
]  # fmt: skip
