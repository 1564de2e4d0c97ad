"""The sha256 of files on this machine, each read once for the length of a run.

A digest stands for a file with the same path, inode, size and times (mtime and ctime, in nanoseconds). Whatever writes to a file
moves its ctime, which no program can set back. So a file that changes during a run is read again. The next run reads every file
anew: what a disk loses changes no time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader

FileIdentity = tuple[int, int, int, int]


class DigestCache:
    """The digests that were computed inside a block of `keep`; outside of one, every file is read each time."""

    def __init__(self) -> None:
        self._digests: dict[str, tuple[FileIdentity, str]] | None = None

    @contextmanager
    def keep(self) -> Iterator[None]:
        """Keep each digest for the length of a block; a block inside another shares what that one keeps."""
        if self._digests is not None:
            yield
            return
        self._digests = {}
        try:
            yield
        finally:
            self._digests = None

    def sha256_of(self, file: BufferedReader) -> str:
        """Return the sha256 of a file's bytes, as hex; `file` is open at its start."""
        if self._digests is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        identity = _file_identity(os.fstat(file.fileno()))  # before the bytes: a change meanwhile makes it another
        known_identity, digest = self._digests.get(file.name, (None, ""))
        if known_identity != identity:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._digests[file.name] = identity, digest
        return digest

    def add_digest(self, path: str, digest: str) -> None:
        """Keep the digest of a file that was just written from bytes of that digest."""
        if self._digests is None:
            return
        with suppress(OSError):  # gone again: whoever reads it next says so
            self._digests[path] = _file_identity(os.stat(path)), digest  # noqa: PTH116  (a path as text, as `open` names it)


def _file_identity(status: os.stat_result) -> FileIdentity:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
