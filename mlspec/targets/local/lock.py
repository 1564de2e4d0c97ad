"""One writer per forecast, by `flock`. The kernel frees the lock when the process that holds it ends for any reason."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from mlspec.plain_files import open_plain, refuse_links, refuse_shared_file
from mlspec.targets.local import durable
from mlspec.targets.record.locking import describe_holder, wait_for_lock


class FolderLocks:
    """One lock file per forecast in one folder. The file holds the description of the lock's holder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._below = folder.parent.parent  # where the target's own folder is

    @contextmanager
    def lock_forecast(self, forecast: str, operation: str, since: str, timeout: float) -> Iterator[None]:
        """Lock one forecast. Raises LockHeld with the holder's description after `timeout` seconds of waiting.

        Raises StateError if the holder cannot be written: then nothing else could be recorded either.
        """
        path = self.folder / f"{forecast}.lock"
        durable.make_folder(self.folder, below=self._below)
        refuse_links(path, below=self._below)
        refuse_shared_file(path)  # the holder's description is written into the file
        with durable.explain_errors(f"open {path.name}"):
            file = open(path, "ab", buffering=0, opener=open_plain)  # noqa: SIM115  (closed below)
        with file:
            wait_for_lock(lambda: _try_flock(file), forecast, lambda: path.read_text(encoding="utf-8").strip(), timeout)
            with durable.explain_errors(f"write {path.name}"):
                file.truncate(0)
                file.write(f"{describe_holder(operation, since)}\n".encode())
            try:
                yield
            finally:
                file.truncate(0)


def _try_flock(file: FileIO) -> bool:
    with durable.explain_errors(f"lock {Path(str(file.name)).name}"):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Allow one process at a time inside this block for `folder`, which must exist. It is for short work."""
    with durable.explain_errors(f"open {folder.name}"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
