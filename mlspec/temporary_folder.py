"""Temporary folders. One that a killed process left behind is removed by the next process that makes one.

A process holds a lock on a file of its folder while it uses it, and the kernel frees the lock when the process ends for any reason.
So a folder whose lock is free belongs to nobody any more. A forked child has the lock too.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mlspec.errors import TargetError
from mlspec.plain_files import PRIVATE_FILE, PRIVATE_FOLDER

logger = logging.getLogger(__name__)
PREFIX, LOCK = "mlspec-", "in-use"
_cleared: set[str] = set()  # the places in which this process has looked for abandoned folders


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Return an empty folder below `TMPDIR`, for the present user alone, and remove it at the end.

    Raises TargetError if there is no room for it, or no right to write there.
    """
    with ExitStack() as stack:
        try:
            files = _make_folder(stack)
        except OSError as error:
            raise TargetError(
                f"cannot make a temporary folder: {error}",
                hint="free some space there, or set TMPDIR to another folder",
            ) from error
        yield files


def _make_folder(stack: ExitStack) -> Path:
    place = tempfile.gettempdir()
    if place not in _cleared:
        _cleared.add(place)
        remove_abandoned(Path(place))
    locks = stack.enter_context(ExitStack())  # it is left after the folder was removed
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX)))
    _hold_lock(folder, locks)
    files = folder / "files"
    files.mkdir(PRIVATE_FOLDER)
    return files


def _hold_lock(folder: Path, locks: ExitStack) -> None:
    """Lock a file until `locks` is left; it gets its name only once it is locked. Where files cannot be locked, go on without."""
    draft = folder / f".{LOCK}"
    lock = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, PRIVATE_FILE)
    locks.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.rename(folder / LOCK)
    except OSError as error:
        logger.debug("a temporary folder cannot be locked, and stays if this process is killed: %s", error)


def remove_abandoned(place: Path) -> None:
    """Remove the folders of processes of this user that were killed. What cannot be removed stays: it is in nobody's way."""
    with suppress(OSError):
        for folder in place.glob(f"{PREFIX}*"):
            if _is_abandoned(folder):
                logger.info("remove %s, which a process that was killed left", folder)
                shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Return whether it is a folder of this user, with a lock that no process holds. Anybody may write to TMPDIR."""
    try:
        seen = folder.lstat()
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid() or stat.S_IMODE(seen.st_mode) != PRIVATE_FOLDER:
            return False
        lock = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
