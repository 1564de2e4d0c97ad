"""The records of all forecasts as objects: which generation each is at, and its bytes, fetched as seldom as can be.

One list call tells every generation. Bytes that were fetched before count as long as theirs is the one that is listed; where many
are not there, the pack brings them at once: an archive of images, of use wherever its generation is still the one that is listed.
It is a copy to save calls, never the record.
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
from mlspec.targets.gcp.record.bucket import NEW, Bucket, Moved, Stored

FOLDER = "forecasts/"
_STATE = re.compile(rf"{FOLDER}([^/]+)/state\.db")
_PACK = "packs/records.zip"
FEW = 10  # images fetched one by one in a pass, before a pack is worth its write


@dataclass(frozen=True, slots=True)
class Image:
    """A forecast's record, a SQLite database as bytes, at a generation of its object."""

    generation: int
    data: bytes


class Images:
    """The records in one bucket. `packed` says whether this process may write the pack."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._fetched: dict[str, Image] = {}
        self._listed: dict[str, Stored] | None = None
        self._pack: zipfile.ZipFile | None = None
        self._misses = 0

    def names(self) -> tuple[str, ...]:
        """Return the forecasts that have a record, sorted."""
        return tuple(sorted(self.listed()))

    def listed(self) -> dict[str, Stored]:
        """Return what is known of each forecast's record; inside a session, as it was when that began."""
        if self._listed is not None:
            return self._listed
        found = self._bucket.list(FOLDER, glob=f"{FOLDER}*/state.db")  # not what lies beside: steps are many
        return {match[1]: each for each in found if (match := _STATE.fullmatch(each.name))}

    def generation(self, forecast: str) -> int:
        """Return the generation of one forecast's record; NEW where there is none."""
        seen = self._bucket.look(_name(forecast))
        return seen.generation if seen else NEW

    @contextmanager
    def session(self) -> Iterator[None]:
        """Look at all generations once for the length of a block, and leave a pack behind where one would have helped."""
        if self._listed is not None:
            yield
            return
        self._listed, self._misses = self.listed(), 0
        try:
            yield
            if self._misses > FEW:
                self._write_pack(self._listed)
        finally:
            self._listed = self._pack = None

    def get(self, forecast: str) -> Image | None:
        """Return a forecast's record as it is now, or as it was when the session began; None where there is none."""
        seen = self._listed.get(forecast) if self._listed is not None else self._bucket.look(_name(forecast))
        if seen is None:
            return None
        known = self._fetched.get(forecast)
        if known is None or known.generation != seen.generation:
            known = self._fetched[forecast] = self._from_pack(forecast, seen) or self._fetch(forecast, seen)
        return known

    def fresh(self, forecast: str) -> Image | None:
        """Return a forecast's record as it is now, whatever a session has listed."""
        listed, self._listed = self._listed, None
        try:
            return self.get(forecast)
        finally:
            self._listed = listed

    def put(self, forecast: str, data: bytes, expected: int) -> Image:
        """Write a forecast's record over the generation `expected`. Raises Moved where it is at another one."""
        image = Image(self._bucket.write(_name(forecast), data, expected), data)
        self._fetched[forecast] = image
        if self._listed is not None:
            self._listed.pop(forecast, None)
            if (seen := self._bucket.look(_name(forecast))) is not None:
                self._listed[forecast] = seen
        return image

    def remove(self, forecast: str) -> None:
        """Remove a forecast's record, and what this process knows of it."""
        self._bucket.delete(_name(forecast))
        self._fetched.pop(forecast, None)
        if self._listed is not None:
            self._listed.pop(forecast, None)

    def touch(self, forecast: str) -> None:
        """Write a record anew as it is, so that whoever stands on the generation before can write no more."""
        while (image := self.fresh(forecast)) is not None:
            try:
                self.put(forecast, image.data, image.generation)
            except Moved:
                continue
            return

    def _fetch(self, forecast: str, seen: Stored) -> Image:
        from google.api_core.exceptions import NotFound

        try:
            self._misses += 1
            return Image(seen.generation, self._bucket.content(seen))
        except NotFound:  # written anew since it was looked at
            found = self._bucket.read(_name(forecast))
            return Image(found[1].generation, found[0]) if found else Image(NEW, b"")

    def _from_pack(self, forecast: str, seen: Stored) -> Image | None:
        if self._listed is None or len(self._listed) <= FEW:
            return None
        if self._pack is None:
            self._pack = self._read_pack()
        try:
            return Image(seen.generation, self._pack.read(f"{forecast}/{seen.generation}"))
        except (KeyError, zipfile.BadZipFile, zlib.error):
            return None

    def _read_pack(self) -> zipfile.ZipFile:
        """Return the pack, an empty one where none can be read: it saves calls, and nobody depends on it."""
        with suppress(TargetError, zipfile.BadZipFile):
            if (found := self._bucket.read(_PACK)) is not None:
                return zipfile.ZipFile(io.BytesIO(found[0]))
        return zipfile.ZipFile(io.BytesIO(_packed({}, lambda _: b"")))

    def _write_pack(self, listed: dict[str, Stored]) -> None:
        """Leave a pack of everything that was looked at. One by another process is as good, and without it all goes on."""
        known = {name: image for name, image in self._fetched.items() if name in listed}
        generations = {f"{name}/{image.generation}": name for name, image in known.items()}
        data = _packed(generations, lambda name: known[name].data)
        with suppress(Moved, TargetError):
            seen = self._bucket.look(_PACK)
            self._bucket.write(_PACK, data, seen.generation if seen else NEW)


def _packed(entries: dict[str, str], content: Callable[[str], bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, name in sorted(entries.items()):
            archive.writestr(entry, content(name))
    return buffer.getvalue()


def _name(forecast: str) -> str:
    return f"{FOLDER}{forecast}/state.db"
