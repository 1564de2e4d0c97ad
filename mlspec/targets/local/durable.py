"""Every write of the local target. When a function of this module has returned, its write survives a power failure.

No other module in `targets/local` opens a file for writing or commits a transaction. Tests kill the process before and after
each write, by its name.

Each function is given `below`, the folder that the user chose: a symbolic link below it is refused, because a clone of a project
can hold one. Files and folders are made for the present user alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlspec.errors import StateError, StateUnreachable
from mlspec.plain_files import make_private_folder, open_new_file, refuse_links

# https://www.sqlite.org/rescode.html: another program holds the file's lock, longer than a connection waits for it.
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def commit(connection: sqlite3.Connection, point: str) -> None:
    """Commit the open transaction. `point` names the write in tests and in messages."""
    with explain_errors(point):
        connection.commit()


def make_folder(folder: Path, *, below: Path) -> None:
    """Create `folder` and its parents, if they do not exist."""
    refuse_links(folder, below=below)
    with explain_errors(f"create {folder.name}"):
        make_private_folder(folder)


def write_file(blocks: Iterable[bytes], destination: Path, draft: Path, *, below: Path) -> None:
    """Write `blocks` to `destination` completely or not at all: write `draft`, fsync, rename, fsync the folder.

    `draft` is on the same disk, and no other process uses it. A draft that a killed run left there is removed first.
    """
    for folder in (destination.parent, draft.parent):  # a link in place of the file itself is replaced by the rename
        refuse_links(folder, below=below)
    with explain_errors(f"write {destination.name}"):
        try:
            with open_new_file(draft) as file:
                file.writelines(blocks)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(destination)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(destination.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def explain_errors(action: str) -> Iterator[None]:
    """Turn a failed write of the operating system or SQLite into a StateError with a hint."""
    try:
        yield
    except sqlite3.Error as error:
        raise state_error(f"cannot {action} in the state file: {error}", error) from error
    except OSError as error:
        raise StateError(f"cannot {action}: {error.strerror or error}", hint=recovery_hint(error)) from error


def state_error(message: str, error: sqlite3.Error | OSError) -> StateError:
    """Return the error for a failed read or write, with a hint: a StateUnreachable if the file is locked."""
    locked = getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED  # the lowest byte; the others say more
    return (StateUnreachable if locked else StateError)(message, hint=recovery_hint(error))


def recovery_hint(error: sqlite3.Error | OSError) -> str:
    """Return a hint for a failed read or write."""
    text = str(error).lower()
    if "full" in text or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free space on the disk, then run the same command again: finished steps are not repeated"
    denied = (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR)
    if "readonly" in text or "unable to open" in text or getattr(error, "errno", None) in denied:
        return "give yourself write permission on the target's folder, or set another `path` in mlspec.yaml"
    if (
        "i/o error" in text or getattr(error, "errno", None) == errno.EIO
    ):  # SQLite also reports a used-up quota like this
        return (
            "check the disk: it is over its quota or failing. Then run the same command again: finished steps are not repeated. "
            "If the disk has lost data, restore the target's folder from a backup"
        )
    if "locked" in text:
        return "another program has locked the state file: run the command again when that program has ended"
    return "restore the target's folder from a backup, or move it away and run `mlspec apply` to build a new one"


def remove_file(path: Path, *, below: Path) -> None:
    """Remove a file, if it exists."""
    refuse_links(path.parent, below=below)
    with explain_errors(f"remove {path.name}"):
        path.unlink(missing_ok=True)
