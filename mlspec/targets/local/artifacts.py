"""Files named by their content: `artifacts/sha256/ab/ab12…`. The same bytes are stored once and never changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from mlspec.errors import StateError
from mlspec.plain_files import open_plain
from mlspec.state.record import FileRef
from mlspec.targets.local import durable
from mlspec.targets.local.digest_cache import DigestCache
from mlspec.targets.local.lock import lock_folder


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_blocks(path: Path, size: int = 1 << 20) -> Iterator[bytes]:
    """Yield a file's bytes, `size` at a time."""
    with path.open("rb") as file:
        while block := file.read(size):
            yield block


class FolderFiles:
    """The file store in one folder."""

    def __init__(self, folder: Path, digests: DigestCache | None = None) -> None:
        self.folder = folder
        self._below = folder.parent.parent  # where the target's own folder is
        self._digests = digests or DigestCache()

    def hash_files_once(self) -> AbstractContextManager[None]:
        """Compute the sha256 of each stored file once per block, and again only if the file has changed."""
        return self._digests.keep()

    def store_file(self, source: Path, owner: str) -> FileRef:
        """Store a copy of `source` and return its reference. An undamaged copy that exists already is kept.

        `owner` is a forecast whose lock the caller holds. Its name is part of the temporary file's name.
        """
        ref = FileRef(sha256_of(source), source.stat().st_size, source.name)
        destination = self._stored_path(ref)
        if self.find_damage(ref) is not None:
            durable.make_folder(destination.parent, below=self._below)
            durable.write_file(read_blocks(source), destination, self.folder / f"{owner}.part", below=self._below)
            self._digests.add_digest(self._path_text(ref), ref.sha256)
        return ref

    def store_blocks(self, ref: FileRef, blocks: Iterable[bytes]) -> None:
        """Store a copy of a file from its bytes. They are verified when the file is read.

        If several processes of this machine need the same file, only one downloads it and the others wait.
        """
        destination = self._stored_path(ref)
        durable.make_folder(destination.parent, below=self._below)
        with lock_folder(destination.parent):
            if self.find_damage(ref) is not None:
                durable.write_file(blocks, destination, destination.with_name("part"), below=self._below)

    def fetch_file(self, ref: FileRef) -> Path:
        """Return the file's path. Raises StateError if it is missing or its bytes were changed."""
        stored_path, problem = self._stored_path(ref), self.find_damage(ref)
        if problem:
            raise StateError(
                f"{ref.name} ({stored_path}) {problem} since mlspec stored it",
                hint="run `mlspec apply`: it makes what is missing again",
            )
        return stored_path

    def find_damage(self, ref: FileRef) -> str | None:
        """Return what is wrong with a stored file, or None. Reads the whole file: a changed byte need not change the size."""
        try:
            # A path as text is faster: a pass over ten thousand forecasts calls this for every file of each.
            with open(self._path_text(ref), "rb", opener=open_plain) as file:
                same = os.fstat(file.fileno()).st_size == ref.size
                return None if same and self._digests.sha256_of(file) == ref.sha256 else "was changed"
        except FileNotFoundError:
            return "was deleted"
        except OSError as error:
            return f"cannot be read ({error.strerror})"

    def discard_file(self, ref: FileRef, owner: str) -> None:  # noqa: ARG002  (a lock on this machine cannot be lost)
        """Remove a file that no record references."""
        durable.remove_file(self._stored_path(ref), below=self._below)

    def find_stored(self, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return those of the files that exist."""
        return frozenset(ref for ref in refs if self._stored_path(ref).exists())

    def remove_files(self, refs: Collection[FileRef], _connection: object) -> None:
        """Remove files. A folder takes no part in a transaction."""
        for ref in refs:
            durable.remove_file(self._stored_path(ref), below=self._below)

    def _stored_path(self, ref: FileRef) -> Path:
        return Path(self._path_text(ref))

    def _path_text(self, ref: FileRef) -> str:
        return f"{self.folder}/sha256/{ref.sha256[:2]}/{ref.sha256}"
