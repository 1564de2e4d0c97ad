"""One bucket of Cloud Storage: objects read and written whole, every write under a precondition on the object's generation.

A write whose answer was lost is known by a token that it carries as metadata: the same write is never taken for somebody else's
(https://cloud.google.com/storage/docs/request-preconditions).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from mlspec.errors import TargetError
from mlspec.targets.gcp.calls import TIMEOUT, patiently
from mlspec.targets.gcp.clients import Clients

Answer = TypeVar("Answer")
NEW = 0  # the generation that an object which is not there has
_TOKEN = "mlspec-write"  # noqa: S105  (a name of metadata)


class NoBucket(TargetError):
    """There is no such bucket."""


class Moved(Exception):
    """An object is not at the generation that a write stood on: somebody else wrote it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a bucket lists it. `checksum` is its CRC32C, base64; `updated` is the service's own clock."""

    name: str
    generation: int
    size: int
    checksum: str
    updated: datetime
    metadata: dict[str, str] = field(default_factory=dict)


class Bucket:
    """One bucket, by its name."""

    def __init__(self, clients: Clients, name: str) -> None:
        self._clients, self.name = clients, name

    def list(self, prefix: str, *, glob: str | None = None, most: int | None = None) -> tuple[Stored, ...]:
        """Return the objects under a prefix, by name: those that a glob means, or the first so many; a call for a thousand."""
        from google.api_core.exceptions import NotFound

        asked = {"prefix": prefix, "match_glob": glob, "max_results": most, "retry": None, "timeout": TIMEOUT}
        try:
            return self._ask(
                lambda: tuple(map(_stored, self._clients.storage.list_blobs(self.name, **asked))),
                f"list {self._of(prefix)}",
            )
        except NotFound as error:
            raise self._missing() from error

    def look(self, name: str) -> Stored | None:
        """Return what is known of an object, None where there is none."""
        found = self._ask(lambda: self._bucket.get_blob(name, retry=None, timeout=TIMEOUT), f"look at {self._of(name)}")
        return _stored(found) if found is not None else None

    def read(self, name: str) -> tuple[bytes, Stored] | None:
        """Return an object's bytes and what is known of it, of one generation; None where there is none."""
        from google.api_core.exceptions import NotFound

        while (seen := self.look(name)) is not None:
            try:
                return self.content(seen), seen
            except NotFound:  # written anew between the two calls
                continue
        return None

    def content(self, seen: Stored) -> bytes:
        """Return the bytes of one generation of an object. Raises NotFound where it is gone."""
        blob = self._bucket.blob(seen.name, generation=seen.generation)
        return bytes(
            self._ask(lambda: blob.download_as_bytes(retry=None, timeout=TIMEOUT), f"read {self._of(seen.name)}")
        )

    def write(self, name: str, data: bytes, expected: int) -> int:
        """Write an object over its generation `expected`, NEW where there is to be none; return the new generation.

        Raises Moved where it is at another one, and leaves it as it is.
        """
        return self._write(name, expected, lambda blob, options: blob.upload_from_string(data, **options))

    def upload(self, name: str, source: Path) -> int:
        """Write a file as a new object; return its generation. Raises Moved where there is one of that name."""
        return self._write(name, NEW, lambda blob, options: blob.upload_from_filename(str(source), **options))

    def download(self, name: str, destination: Path) -> None:
        """Write an object into a file. Raises NotFound where there is none."""
        blob = self._bucket.blob(name)
        self._ask(
            lambda: blob.download_to_filename(str(destination), retry=None, timeout=TIMEOUT), f"read {self._of(name)}"
        )

    def delete(self, name: str, generation: int | None = None) -> None:
        """Remove an object, or only this generation of it; one that is gone, or is another by now, is left."""
        from google.api_core.exceptions import NotFound, PreconditionFailed

        blob, options = self._bucket.blob(name), {"if_generation_match": generation, "retry": None, "timeout": TIMEOUT}
        with suppress(NotFound, PreconditionFailed):
            self._ask(lambda: blob.delete(**options), f"remove {self._of(name)}")

    def copy(self, source: str, destination: str) -> None:
        """Copy an object inside the bucket to a new name; one that is there already stays. Raises NotFound where there is none."""
        from google.api_core.exceptions import PreconditionFailed

        bucket = self._bucket
        options = {"if_generation_match": NEW, "retry": None, "timeout": TIMEOUT}
        with suppress(PreconditionFailed):
            self._ask(
                lambda: bucket.copy_blob(bucket.blob(source), bucket, new_name=destination, **options),
                f"copy {self._of(source)} to {destination}",
            )

    def _write(self, name: str, expected: int, send: Callable[[Any, dict[str, Any]], None]) -> int:
        from google.api_core.exceptions import NotFound

        token = uuid.uuid4().hex
        options = {"if_generation_match": expected, "checksum": "crc32c", "retry": None, "timeout": TIMEOUT}

        def attempt() -> int:
            blob = self._bucket.blob(name)
            blob.metadata = {_TOKEN: token}
            send(blob, options)
            return int(blob.generation)

        try:
            return self._ask(lambda: self._once(attempt, name, token), f"write {self._of(name)}")
        except NotFound as error:
            raise self._missing() from error

    def _once(self, attempt: Callable[[], int], name: str, token: str) -> int:
        from google.api_core.exceptions import PreconditionFailed

        try:
            return attempt()
        except PreconditionFailed as error:
            found = self.look(name)
            if found is None or found.metadata.get(_TOKEN) != token:
                raise Moved(name) from error
            return found.generation  # written by an attempt of ours whose answer was lost

    def _missing(self) -> NoBucket:
        return NoBucket(
            f"there is no bucket gs://{self.name}", hint="apply infra/ first: it makes the platform's buckets"
        )

    def _ask(self, call: Callable[[], Answer], what: str) -> Answer:
        return patiently(call, what)

    @property
    def _bucket(self) -> Any:
        return self._clients.storage.bucket(self.name)

    def _of(self, name: str) -> str:
        return f"gs://{self.name}/{name}"


def _stored(blob: Any) -> Stored:
    return Stored(
        blob.name, int(blob.generation), int(blob.size or 0), blob.crc32c or "", blob.updated, dict(blob.metadata or {})
    )
