"""Caches the sha256 of files on this machine, so that a run reads each file once.

A cached digest is valid for a file with the same path, inode, size and times (mtime and ctime, in nanoseconds). Every write to a
file changes its ctime, which no program can set back. So a file that changes during a run is read again. The next run reads every
file again, because damage on the disk does not change these times.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader

from mlspec.targets.local.text_digest import text_digests

FileIdentity = tuple[int, int, int, int]


class DigestCache:
    """Caches digests inside a block of `keep`. Outside such a block, every call reads the file."""

    def __init__(self) -> None:
        self._digests: dict[str, tuple[FileIdentity, str]] | None = None
        self._text_digests: dict[str, tuple[FileIdentity, tuple[str, str]]] = {}

    @contextmanager
    def keep(self) -> Iterator[None]:
        """Cache digests until the block ends. A nested block shares the cache."""
        if self._digests is not None:
            yield
            return
        self._digests = {}
        try:
            yield
        finally:
            self._digests = None
            self._text_digests = {}

    def sha256_of(self, file: BufferedReader) -> str:
        """Return the sha256 of a file's bytes, as hex; `file` is open at its start."""
        if self._digests is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        identity = _file_identity(os.fstat(file.fileno()))  # before the read, so that a later change is detected
        known_identity, digest = self._digests.get(file.name, (None, ""))
        if known_identity != identity:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._digests[file.name] = identity, digest
        return digest

    def text_digests_of(self, file: BufferedReader) -> tuple[str, str]:
        """Return the sha256 of a file's bytes, and one that does not depend on how its lines end; `file` is open at its start."""
        identity = _file_identity(os.fstat(file.fileno()))  # before the read, as above
        known, digests = self._text_digests.get(file.name, (None, ("", "")))
        if self._digests is None or known != identity:
            digests = text_digests(file)
            if self._digests is not None:
                self._text_digests[file.name] = identity, digests
        return digests

    def add_digest(self, path: str, digest: str) -> None:
        """Cache the digest of a file that was just written with these bytes."""
        if self._digests is None:
            return
        with suppress(OSError):  # the file was removed meanwhile; the next reader reports that
            self._digests[path] = _file_identity(os.stat(path)), digest  # noqa: PTH116  (a path as text, as `open` names it)


def _file_identity(status: os.stat_result) -> FileIdentity:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
