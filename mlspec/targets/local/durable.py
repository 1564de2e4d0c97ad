"""Every write of the local target, in one place: what returns from here survives a power cut.

Nothing else in `targets/local` opens a file for writing or commits a transaction. Each function is one write point, named
for the tests that kill the process before and after it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlspec.errors import StateError


def commit(connection: sqlite3.Connection, point: str) -> None:
    """Commit the open transaction. `point` names the write in tests and in messages."""
    with explain_errors(point):
        connection.commit()


def make_folder(folder: Path) -> None:
    """Create `folder` and its parents; nothing happens if it is there."""
    with explain_errors(f"create {folder.name}"):
        folder.mkdir(parents=True, exist_ok=True)


def write_file(blocks: Iterable[bytes], destination: Path, draft: Path) -> None:
    """Write `blocks` to `destination` whole or not at all: into `draft`, fsync, rename, fsync of the folder.

    `draft` is on the same disk and the caller's alone; what a killed run left there is written over.
    """
    with explain_errors(f"write {destination.name}"):
        try:
            with draft.open("wb") as file:
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
    """Turn what the operating system and SQLite say of a failed write into words for the person who must act."""
    try:
        yield
    except sqlite3.Error as error:
        raise StateError(f"cannot {action} in the state file: {error}", hint=recovery_hint(error)) from error
    except OSError as error:
        raise StateError(f"cannot {action}: {error.strerror or error}", hint=recovery_hint(error)) from error


def recovery_hint(error: sqlite3.Error | OSError) -> str:
    """Return what a person can do about a failed read or write."""
    text = str(error).lower()
    if "full" in text or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "make room on the disk, then run the same command again: it goes on from what was recorded"
    denied = (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR)
    if "readonly" in text or "unable to open" in text or getattr(error, "errno", None) in denied:
        return "give yourself write permission on the target's folder, or set another `path` in mlspec.yaml"
    if (
        "i/o error" in text or getattr(error, "errno", None) == errno.EIO
    ):  # SQLite says so of a quota that is used up, too
        return (
            "look at the disk, which is over its quota or failing, then run the same command again: it goes on from what was "
            "recorded; what the disk has lost is in a backup of the target's folder"
        )
    if "locked" in text:
        return "another program holds the state file open; run the command again when it is done"
    return "restore the target's folder from a backup, or move it aside and apply anew"


def remove_file(path: Path) -> None:
    """Remove a file; one that is already gone is as good."""
    with explain_errors(f"remove {path.name}"):
        path.unlink(missing_ok=True)
