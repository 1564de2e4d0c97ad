"""Snapshots of all forecasts' records: their generations and bytes, with as few downloads as possible.

One list call returns every generation. A snapshot that was downloaded before is used while its generation is current. If many
snapshots are needed, the pack saves downloads: it is one archive of snapshots, each used only if its generation is current. The
pack is a cache; the record itself is never read from an outdated entry.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from mlspec.errors import TargetError
from mlspec.targets.gcp.record.bucket import NEW, Bucket, StoredObject, WriteConflict
from mlspec.targets.gcp.retry import retry_on_conflict

FOLDER = "forecasts/"
_STATE = re.compile(rf"{FOLDER}([^/]+)/state\.db")
_PACK = "packs/records.zip"
FEW = 10  # snapshots that a pass downloads one by one before it writes a pack


@dataclass(frozen=True, slots=True)
class RecordSnapshot:
    """A forecast's record (the bytes of a SQLite database) at one generation of its object."""

    generation: int
    data: bytes


class SnapshotStore:
    """The records in one bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._fetched: dict[str, RecordSnapshot] = {}
        self._listed: dict[str, StoredObject] | None = None
        self._pack: zipfile.ZipFile | None = None
        self._misses = 0

    def forecast_names(self) -> tuple[str, ...]:
        """Return the forecasts that have a record, sorted."""
        return tuple(sorted(self.list_records()))

    def list_records(self) -> dict[str, StoredObject]:
        """Return the object metadata of each forecast's record; inside a session, as of its begin."""
        if self._listed is not None:
            return self._listed
        objects = self._bucket.list_objects(
            FOLDER, glob=f"{FOLDER}*/state.db"
        )  # not the other objects: a forecast has many steps
        return {match[1]: stored for stored in objects if (match := _STATE.fullmatch(stored.name))}

    def find_generation(self, forecast: str) -> int:
        """Return the generation of one forecast's record; NEW if there is none."""
        stored = self._bucket.find_object(_object_name(forecast))
        return stored.generation if stored else NEW

    @contextmanager
    def read_session(self) -> Iterator[None]:
        """List all generations once per block. Write a pack at the end if many snapshots had to be downloaded."""
        if self._listed is not None:
            yield
            return
        self._listed, self._misses = self.list_records(), 0
        try:
            yield
            if self._misses > FEW:
                self._write_pack(self._listed)
        finally:
            self._listed = self._pack = None

    def read_snapshot(self, forecast: str) -> RecordSnapshot | None:
        """Return a forecast's record, inside a session as of its begin; None if there is none."""
        stored = (
            self._listed.get(forecast) if self._listed is not None else self._bucket.find_object(_object_name(forecast))
        )
        if stored is None:
            return None
        cached = self._fetched.get(forecast)
        if cached is None or cached.generation != stored.generation:
            cached = self._fetched[forecast] = self._from_pack(forecast, stored) or self._fetch_snapshot(
                forecast, stored
            )
        return cached

    def read_fresh_snapshot(self, forecast: str) -> RecordSnapshot | None:
        """Return a forecast's current record, also inside a session."""
        listing, self._listed = self._listed, None
        try:
            return self.read_snapshot(forecast)
        finally:
            self._listed = listing

    def write_snapshot(self, forecast: str, data: bytes, expected: int) -> RecordSnapshot:
        """Write a forecast's record over the generation `expected`. Raises WriteConflict if it is at another one."""
        snapshot = RecordSnapshot(self._bucket.write_object(_object_name(forecast), data, expected), data)
        self._fetched[forecast] = snapshot
        if self._listed is not None:
            self._listed.pop(forecast, None)
            if (stored := self._bucket.find_object(_object_name(forecast))) is not None:
                self._listed[forecast] = stored
        return snapshot

    def remove_record(self, forecast: str) -> None:
        """Remove a forecast's record, and its cached snapshot."""
        self._bucket.delete_object(_object_name(forecast))
        self._fetched.pop(forecast, None)
        if self._listed is not None:
            self._listed.pop(forecast, None)

    def rewrite_record(self, forecast: str) -> None:
        """Rewrite a record with the same bytes, so that a writer that expects the earlier generation is refused."""

        def rewrite() -> None:
            if (snapshot := self.read_fresh_snapshot(forecast)) is not None:
                self.write_snapshot(forecast, snapshot.data, snapshot.generation)

        retry_on_conflict(rewrite, WriteConflict, f"write the record of {forecast}")

    def _fetch_snapshot(self, forecast: str, stored: StoredObject) -> RecordSnapshot:
        from google.api_core.exceptions import NotFound

        try:
            self._misses += 1
            return RecordSnapshot(stored.generation, self._bucket.read_generation(stored))
        except NotFound:  # overwritten since it was listed
            current = self._bucket.read_object(_object_name(forecast))
            return RecordSnapshot(current[1].generation, current[0]) if current else RecordSnapshot(NEW, b"")

    def _from_pack(self, forecast: str, stored: StoredObject) -> RecordSnapshot | None:
        if self._listed is None or len(self._listed) <= FEW:
            return None
        if self._pack is None:
            self._pack = self._read_pack()
        try:
            return RecordSnapshot(stored.generation, self._pack.read(f"{forecast}/{stored.generation}"))
        except (KeyError, zipfile.BadZipFile, zlib.error):
            return None

    def _read_pack(self) -> zipfile.ZipFile:
        """Return the pack, or an empty one if it cannot be read: it only saves calls."""
        with suppress(TargetError, zipfile.BadZipFile):
            if (content := self._bucket.read_object(_PACK)) is not None:
                return zipfile.ZipFile(io.BytesIO(content[0]))
        return zipfile.ZipFile(io.BytesIO(_pack_bytes({}, lambda _: b"")))

    def _write_pack(self, listed: dict[str, StoredObject]) -> None:
        """Write a pack of all cached snapshots. Ignore failures: another process's pack or no pack is fine too."""
        cached = {name: snapshot for name, snapshot in self._fetched.items() if name in listed}
        generations = {f"{name}/{snapshot.generation}": name for name, snapshot in cached.items()}
        data = _pack_bytes(generations, lambda name: cached[name].data)
        with suppress(WriteConflict, TargetError):
            stored = self._bucket.find_object(_PACK)
            self._bucket.write_object(_PACK, data, stored.generation if stored else NEW)


def _pack_bytes(entries: dict[str, str], content: Callable[[str], bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, name in sorted(entries.items()):
            archive.writestr(entry, content(name))
    return buffer.getvalue()


def _object_name(forecast: str) -> str:
    return f"{FOLDER}{forecast}/state.db"
