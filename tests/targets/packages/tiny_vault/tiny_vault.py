"""A target of a team, for mlspec: docs/own-target.md shows it at work.

The record is a SQLite file in one folder. Its files are in another one, which more people can write to: compressed, and signed with
a key that only the team has. The name of the type stands in pyproject.toml, as an entry point of the group `mlspec.targets`.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from pydantic import Field

from mlspec.targets.package import (
    Connection,
    FileRef,
    Finding,
    FolderFiles,
    FolderLocks,
    PackageSettings,
    PackageTarget,
    SecretName,
    SqliteDatabase,
    StateError,
    Store,
    TargetPlace,
)

SIGNATURE = 32  # bytes of HMAC-SHA256, before the compressed bytes of a file


class VaultSettings(PackageSettings):
    """A folder for the record, and a vault for its files."""

    record: str = Field(min_length=1, description="Folder of the record, relative to the project's root or absolute.")
    vault: str = Field(min_length=1, description="Folder of the files, which has to exist.")
    signed_with: SecretName = Field(description="Name of the secret that signs the files.")


class VaultFiles:
    """The files in the vault, and their copies on this machine."""

    def __init__(self, vault: Path, copies: FolderFiles, read_key: Callable[[], bytes]) -> None:
        self._vault, self._copies, self._read_key = vault, copies, read_key

    def hash_files_once(self) -> AbstractContextManager[None]:
        return self._copies.hash_files_once()

    def store_file(self, source: Path, owner: str) -> FileRef:
        ref = self._copies.store_file(source, owner)
        if self.find_damage(ref) is not None:
            packed = gzip.compress(source.read_bytes(), mtime=0)
            draft = self._vault / f".{owner}.part"  # one for each forecast: its lock is held
            draft.write_bytes(self._sign(ref, packed) + packed)
            draft.replace(self._vault / ref.sha256)
        return ref

    def fetch_file(self, ref: FileRef) -> Path:
        if self._copies.find_damage(ref) is not None:
            if damage := self.find_damage(ref):
                raise StateError(f"{ref.name} {damage} in {self._vault}", hint="run `mlspec apply`: it makes it again")
            self._copies.store_blocks(ref, self._read_blocks(ref))
        return self._copies.fetch_file(ref)

    def find_damage(self, ref: FileRef) -> str | None:
        path = self._vault / ref.sha256
        if not path.is_file():
            return "was deleted"
        signed = path.read_bytes()
        same = hmac.compare_digest(signed[:SIGNATURE], self._sign(ref, signed[SIGNATURE:]))
        return None if same else "was changed"

    def discard_file(self, ref: FileRef, owner: str) -> None:
        self._remove_file(ref)
        self._copies.discard_file(ref, owner)

    def find_stored(self, refs: Collection[FileRef]) -> frozenset[FileRef]:
        return frozenset(ref for ref in refs if (self._vault / ref.sha256).is_file())

    def remove_files(self, refs: Collection[FileRef], connection: Connection) -> None:
        for ref in refs:
            self._remove_file(ref)
        self._copies.remove_files(refs, connection)

    def _read_blocks(self, ref: FileRef) -> Iterator[bytes]:
        yield gzip.decompress((self._vault / ref.sha256).read_bytes()[SIGNATURE:])

    def _sign(self, ref: FileRef, packed: bytes) -> bytes:
        return hmac.digest(self._read_key(), ref.sha256.encode() + hashlib.sha256(packed).digest(), "sha256")

    def _remove_file(self, ref: FileRef) -> None:
        (self._vault / ref.sha256).unlink(missing_ok=True)


def open_store(settings: VaultSettings, place: TargetPlace) -> Store:
    """Return the store of a target. Reads and writes nothing yet."""
    record, vault = place.root / settings.record, place.root / settings.vault
    copies = FolderFiles(place.folder / "copies")
    files = VaultFiles(vault, copies, lambda: place.read_secret(settings.signed_with).encode())
    return Store(SqliteDatabase(record / "record.db"), files, FolderLocks(record / "locks"))


def check(settings: VaultSettings, place: TargetPlace) -> Iterator[Finding]:
    """Yield whether the vault is there, and the key."""
    vault = place.root / settings.vault
    place.read_secret(settings.signed_with)
    if vault.is_dir():
        yield Finding("target", "vault", "ok", str(vault))
    else:
        yield Finding("target", "vault", "missing", f"there is no folder {vault}", f"mkdir '{vault}'")


VAULT = PackageTarget(
    settings=VaultSettings, open_store=open_store, check=check, cost="costs what the disk of the vault costs"
)
