"""The files of one forecast: objects named by their content, written once, with a verified copy on this machine.

A check compares names and sizes from one list call for all files. The sha256 is verified when a file is fetched, so a changed file
is never used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from mlspec.errors import StateError
from mlspec.state.record import FileRef
from mlspec.targets.gcp.record import durable
from mlspec.targets.gcp.record.bucket import Bucket, WriteConflict
from mlspec.targets.local.artifacts import FolderFiles, read_blocks, sha256_of
from mlspec.temporary_folder import temporary_folder


class BucketFiles:
    """The objects under `NAME/sha256/` of a bucket."""

    def __init__(self, bucket: Bucket, forecast: str, copies: FolderFiles) -> None:
        self._bucket, self._folder, self._copies = bucket, f"{forecast}/sha256/", copies
        self._listed: dict[str, int] | None = None
        self._inside = self._trusted = False

    @contextmanager
    def list_once(self, *, trusted: bool = False) -> Iterator[None]:
        """List the files once per block. With `trusted`, do not list them and assume that they are undamaged."""
        before = self._listed, self._inside, self._trusted
        self._listed, self._inside, self._trusted = None, True, trusted
        try:
            yield
        finally:
            self._listed, self._inside, self._trusted = before

    def hash_files_once(self) -> AbstractContextManager[None]:
        """Compute the sha256 of each copy once per block."""
        return self._copies.hash_files_once()

    def store_file(self, source: Path, _owner: str) -> FileRef:
        """Store a copy of `source` unless it is stored already. Replace a damaged object of its name."""
        ref = FileRef(sha256_of(source), source.stat().st_size, source.name)
        self._copies.store_blocks(ref, read_blocks(source))
        problem = self.find_damage(ref)
        if problem == "was changed":
            self._bucket.delete_object(self._object_name(ref))
        if problem is not None:
            with suppress(WriteConflict):  # another run stored the same bytes
                durable.upload_new_file(self._bucket, self._object_name(ref), source)
        if self._listed is not None:
            self._listed[ref.sha256] = ref.size
        return ref

    def fetch_file(self, ref: FileRef) -> Path:
        """Return the path of the local copy; download it if needed. Raises StateError if the file is damaged."""
        problem = self.find_damage(ref)
        if problem is None and self._copies.find_damage(ref) is not None:
            problem = self._fetch_copy(ref)
        if problem:
            raise StateError(
                f"{ref.name} ({self._bucket.address_of(self._object_name(ref))}) {problem} since mlspec stored it",
                hint="run `mlspec apply`: it makes what is missing again",
            )
        return self._copies.fetch_file(ref)

    def find_damage(self, ref: FileRef) -> str | None:
        """Return what is wrong with a stored file, by its name and size, or None."""
        if self._trusted:
            return None
        size = self._list_sizes().get(ref.sha256)
        if size is None:
            return "was deleted"
        return None if size == ref.size else "was changed"

    def find_damaged_files(self, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return the files that are missing or changed."""
        sizes = {} if self._trusted or not refs else self._list_sizes()
        return frozenset(ref for ref in refs if not self._trusted and sizes.get(ref.sha256) != ref.size)

    def discard_file(self, ref: FileRef, owner: str) -> None:
        """Remove a file that no record references, and its local copy."""
        self._bucket.delete_object(self._object_name(ref))
        self._copies.discard_file(ref, owner)
        if self._listed is not None:
            self._listed.pop(ref.sha256, None)

    def find_stored(self, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return those of the files that are in the bucket, from one list call for all."""
        sizes = self._list_sizes() if refs else {}
        return frozenset(ref for ref in refs if ref.sha256 in sizes)

    def remove_files(self, refs: Collection[FileRef], _connection: object) -> None:
        """Remove files, and their copies here. A bucket takes no part in a transaction."""
        for ref in refs:
            self.discard_file(ref, "")

    def copy_to_folder(self, files: Mapping[str, FileRef], folder: str) -> None:
        """Copy files, named by role, into a folder of the bucket for other readers. Existing objects are kept."""
        existing = {stored.name for stored in self._bucket.list_objects(f"{folder}/")}
        for role, ref in sorted(files.items()):
            destination = f"{folder}/{role}{Path(ref.name).suffix}"
            if destination not in existing:
                self._bucket.copy_object(self._object_name(ref), destination)

    def _fetch_copy(self, ref: FileRef) -> str | None:
        from google.api_core.exceptions import NotFound

        with temporary_folder() as folder:
            downloaded = folder / "file"
            try:
                self._bucket.download_file(self._object_name(ref), downloaded)
            except NotFound:
                return "was deleted"
            if sha256_of(downloaded) != ref.sha256:
                return "was changed"
            self._copies.store_blocks(ref, read_blocks(downloaded))
        return None

    def _list_sizes(self) -> dict[str, int]:
        if self._listed is not None:
            return self._listed
        sizes = {
            stored.name.removeprefix(self._folder): stored.size for stored in self._bucket.list_objects(self._folder)
        }
        if self._inside:
            self._listed = sizes
        return sizes

    def _object_name(self, ref: FileRef) -> str:
        return f"{self._folder}{ref.sha256}"
