"""Files in the database, in parts, so that every machine of a team can read them; with a verified copy in the target's folder.

`find_damage` downloads nothing: it detects a file that is missing or has another size. Bytes that were changed in spite of the
triggers are detected by the sha256 when the file is fetched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from mlspec.errors import StateError
from mlspec.state.record import FileRef
from mlspec.targets.local.artifacts import FolderFiles, read_blocks
from mlspec.targets.postgres.database import PostgresDatabase
from mlspec.targets.record.store import Connection

PART = 8 << 20  # bytes: a whole part is held in memory, here and on the server


class PostgresFiles:
    """The files of one database, and their copies in one folder."""

    def __init__(self, database: PostgresDatabase, copies: FolderFiles) -> None:
        self._database = database
        self._copies = copies

    def hash_files_once(self) -> AbstractContextManager[None]:
        """Compute the sha256 of each copy once per block."""
        return self._copies.hash_files_once()

    def store_file(self, source: Path, owner: str) -> FileRef:
        """Store `source` in the database unless it is there, and a copy here, as this machine often reads the file next."""
        ref = self._copies.store_file(source, owner)
        if self.find_damage(ref) is not None:
            self._write_parts(ref, source, owner)
        return ref

    def fetch_file(self, ref: FileRef) -> Path:
        """Return the path of the local copy. Download it if it is missing or damaged."""
        if self._copies.find_damage(ref) is not None:
            self._fetch_copy(ref)
        return self._copies.fetch_file(ref)

    def find_damage(self, ref: FileRef) -> str | None:
        """Return what is wrong with a stored file by its size, or None. The server does not read the parts for that."""
        statement = "SELECT count(*) AS parts, sum(octet_length(data)) AS size FROM chunks WHERE sha256 = ?"
        with self._database.read_connection() as connection:
            row = connection.execute(statement, (ref.sha256,)).fetchone() if connection else None
        if not row or not row["parts"]:
            return "was deleted"
        return None if row["size"] == ref.size else "was changed"

    def discard_file(self, ref: FileRef, owner: str) -> None:
        """Remove a file that no record references, and its local copy."""
        with self._database.plain_transaction(f"discard {ref.name}", owner) as connection:
            connection.execute("DELETE FROM chunks WHERE sha256 = ?", (ref.sha256,))
        self._copies.discard_file(ref, owner)

    def find_stored(self, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return those of the files that have a first part in the database."""
        statement = "SELECT sha256 FROM chunks WHERE part = 0 AND sha256 = ANY(%s)"
        with self._database.read_connection() as connection:
            names = [ref.sha256 for ref in refs]
            found = connection.raw.execute(statement, (names,)).fetchall() if connection and names else []
        stored = {row["sha256"] for row in found}
        return frozenset(ref for ref in refs if ref.sha256 in stored)

    def remove_files(self, refs: Collection[FileRef], connection: Connection) -> None:
        """Remove files within the transaction of `connection`, and their copies here."""
        for ref in refs:
            connection.execute("DELETE FROM chunks WHERE sha256 = ?", (ref.sha256,))
        self._copies.remove_files(refs, connection)

    def _write_parts(self, ref: FileRef, source: Path, owner: str) -> None:
        with self._database.plain_transaction(f"store {ref.name}", owner) as connection:
            connection.execute("DELETE FROM chunks WHERE sha256 = ?", (ref.sha256,))
            blocks = read_blocks(source, PART) if ref.size else iter([b""])
            for part, data in enumerate(blocks):
                # Two forecasts may store the same bytes at the same time.
                connection.raw.execute(
                    "INSERT INTO chunks VALUES (%s, %s, %b) ON CONFLICT DO NOTHING", (ref.sha256, part, data)
                )

    def _fetch_copy(self, ref: FileRef) -> None:
        damage = self.find_damage(ref)
        if damage:
            raise StateError(
                f"{ref.name} (sha256 {ref.sha256}) {damage} since mlspec stored it",
                hint="run `mlspec apply`: it makes what is missing again",
            )
        self._copies.store_blocks(ref, self._read_parts(ref))
        if self._copies.find_damage(ref) is not None:
            raise StateError(
                f"{ref.name} was changed since mlspec stored it: its bytes in {self._database.place} have another sha256",
                hint=f"restore the database, or delete sha256 {ref.sha256} from mlspec.chunks: `mlspec apply` makes it again",
            )

    def _read_parts(self, ref: FileRef) -> Iterator[bytes]:
        statement = "SELECT data FROM chunks WHERE sha256 = %s AND part = %s"
        with self._database.read_connection() as connection:
            part = 0
            while connection and (row := connection.raw.execute(statement, (ref.sha256, part), binary=True).fetchone()):
                yield row["data"]
                part += 1
