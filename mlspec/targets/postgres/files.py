"""Files in the database, in parts, so that every machine of a team reaches them; with a checked copy in the target's folder.

A look (`damage`) moves no file: it tells one that is gone or cut short. Bytes that somebody changed behind the triggers are told
when the file is fetched, by its sha256.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlspec.errors import StateError
from mlspec.state.record import FileRef
from mlspec.targets.local.artifacts import Artifacts, blocks_of
from mlspec.targets.postgres.database import Database

PART = 8 << 20  # bytes: a part passes through memory whole, here and on the server


class Chunks:
    """The files of one database, and the copies of them under one folder."""

    def __init__(self, database: Database, copies: Artifacts) -> None:
        self._database = database
        self._copies = copies

    def put(self, source: Path, owner: str) -> FileRef:
        """Keep `source` in the database, once, and a copy here: whoever made a file most often reads it next."""
        ref = self._copies.put(source, owner)
        if self.damage(ref) is not None:
            self._send(ref, source, owner)
        return ref

    def path(self, ref: FileRef) -> Path:
        """Return where the copy can be read, fetched where it is not here or not whole."""
        if self._copies.damage(ref) is not None:
            self._fetch(ref)
        return self._copies.path(ref)

    def damage(self, ref: FileRef) -> str | None:
        """Return what is wrong with a stored file, by its size; the server reads no part for that."""
        ask = "SELECT count(*) AS parts, sum(octet_length(data)) AS size FROM chunks WHERE sha256 = ?"
        with self._database.reading() as connection:
            found = connection.execute(ask, (ref.sha256,)).fetchone() if connection else None
        if not found or not found["parts"]:
            return "was deleted"
        return None if found["size"] == ref.size else "was changed"

    def discard(self, ref: FileRef, owner: str) -> None:
        """Remove a file that nothing names any more, and the copy of it here."""
        with self._database.transaction(f"discard {ref.name}", owner) as connection:
            connection.execute("DELETE FROM chunks WHERE sha256 = ?", (ref.sha256,))
        self._copies.discard(ref, owner)

    def _send(self, ref: FileRef, source: Path, owner: str) -> None:
        with self._database.transaction(f"store {ref.name}", owner) as connection:
            connection.execute("DELETE FROM chunks WHERE sha256 = ?", (ref.sha256,))
            blocks = blocks_of(source, PART) if ref.size else iter([b""])
            for part, data in enumerate(blocks):
                # The same bytes may come from two forecasts at once.
                connection.raw.execute(
                    "INSERT INTO chunks VALUES (%s, %s, %b) ON CONFLICT DO NOTHING", (ref.sha256, part, data)
                )

    def _fetch(self, ref: FileRef) -> None:
        missing = self.damage(ref)
        if missing:
            raise StateError(
                f"{ref.name} (sha256 {ref.sha256}) {missing} since mlspec stored it",
                hint="run `mlspec apply`: it makes what is missing again",
            )
        self._copies.receive(ref, self._parts(ref))
        if self._copies.damage(ref) is not None:
            raise StateError(
                f"{ref.name} was changed since mlspec stored it: its bytes in {self._database.place} are others",
                hint=f"restore the database, or delete sha256 {ref.sha256} from mlspec.chunks: `mlspec apply` makes it again",
            )

    def _parts(self, ref: FileRef) -> Iterator[bytes]:
        ask = "SELECT data FROM chunks WHERE sha256 = %s AND part = %s"
        with self._database.reading() as connection:
            part = 0
            while connection and (found := connection.raw.execute(ask, (ref.sha256, part), binary=True).fetchone()):
                yield found["data"]
                part += 1
