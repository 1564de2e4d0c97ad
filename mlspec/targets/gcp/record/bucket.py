"""One bucket of Cloud Storage: whole objects, and every write with a precondition on the object's generation.

Each write stores a token as metadata. If a write's answer was lost, its retry recognises its own object by that token
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
from mlspec.spec.object_address import ObjectAddress, bucket_address
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries, retry_on_conflict

Answer = TypeVar("Answer")
NEW = 0  # the generation number of an object that does not exist
_TOKEN = "mlspec-write"  # noqa: S105  (a name of metadata)


class NoBucket(TargetError):
    """There is no such bucket."""


class WriteConflict(Exception):
    """An object is not at the expected generation: another process wrote it."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's metadata from a list call. `checksum` is its CRC32C in base64; `updated` is the service's time."""

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

    def list_objects(
        self, prefix: str, *, glob: str | None = None, most: int | None = None
    ) -> tuple[StoredObject, ...]:
        """Return the objects under a prefix, sorted by name, that match `glob`, at most `most`. One call per thousand objects."""
        from google.api_core.exceptions import NotFound

        options = {"prefix": prefix, "match_glob": glob, "max_results": most, "retry": None, "timeout": TIMEOUT}
        try:
            return self._call_service(
                lambda: tuple(map(_to_stored, self._clients.storage.list_blobs(self.name, **options))),
                f"list {self.address_of(prefix)}",
            )
        except NotFound as error:
            raise self._no_bucket_error() from error

    def find_object(self, name: str) -> StoredObject | None:
        """Return an object's metadata, None if there is none."""
        blob = self._call_service(
            lambda: self._bucket.get_blob(name, retry=None, timeout=TIMEOUT), f"look at {self.address_of(name)}"
        )
        return _to_stored(blob) if blob is not None else None

    def read_object(self, name: str) -> tuple[bytes, StoredObject] | None:
        """Return the bytes and metadata of one generation of an object; None if there is none."""
        from google.api_core.exceptions import NotFound

        def read_current() -> tuple[bytes, StoredObject] | None:
            stored = self.find_object(name)
            return (self.read_generation(stored), stored) if stored else None

        # NotFound means that the object was overwritten between the two calls.
        return retry_on_conflict(read_current, NotFound, f"read {self.address_of(name)}")

    def read_generation(self, stored: StoredObject) -> bytes:
        """Return the bytes of one generation of an object. Raises NotFound if it no longer exists."""
        blob = self._bucket.blob(stored.name, generation=stored.generation)
        return bytes(
            self._call_service(
                lambda: blob.download_as_bytes(retry=None, timeout=TIMEOUT), f"read {self.address_of(stored.name)}"
            )
        )

    def write_object(self, name: str, data: bytes, expected: int) -> int:
        """Write an object over its generation `expected`, or NEW if it must not exist. Return the new generation.

        Raises WriteConflict if the object is at another generation, and does not change it.
        """
        return self._write_once(name, expected, lambda blob, options: blob.upload_from_string(data, **options))

    def upload_file(self, name: str, source: Path) -> int:
        """Upload a file as a new object and return its generation. Raises WriteConflict if the object exists."""
        return self._write_once(name, NEW, lambda blob, options: blob.upload_from_filename(str(source), **options))

    def download_file(self, name: str, destination: Path) -> None:
        """Download an object into a file. Raises NotFound if there is none."""
        blob = self._bucket.blob(name)
        self._call_service(
            lambda: blob.download_to_filename(str(destination), retry=None, timeout=TIMEOUT),
            f"read {self.address_of(name)}",
        )

    def delete_object(self, name: str, generation: int | None = None) -> None:
        """Remove an object, or only if it is at `generation`. Does nothing if it does not exist or is at another one."""
        from google.api_core.exceptions import NotFound, PreconditionFailed

        blob, options = self._bucket.blob(name), {"if_generation_match": generation, "retry": None, "timeout": TIMEOUT}
        with suppress(NotFound, PreconditionFailed):
            self._call_service(lambda: blob.delete(**options), f"remove {self.address_of(name)}")

    def delete_generation(self, stored: StoredObject) -> None:
        """Remove one generation of an object for good: no earlier version of it is left. Does nothing if it does not exist."""
        from google.api_core.exceptions import NotFound

        blob = self._bucket.blob(stored.name, generation=stored.generation)
        with suppress(NotFound):
            self._call_service(
                lambda: blob.delete(retry=None, timeout=TIMEOUT), f"remove {self.address_of(stored.name)}"
            )

    def copy_object(self, source: str, destination: str) -> None:
        """Copy an object to a new name in the bucket, unless that exists. Raises NotFound if there is no source object."""
        from google.api_core.exceptions import PreconditionFailed

        bucket = self._bucket
        options = {"if_generation_match": NEW, "retry": None, "timeout": TIMEOUT}
        with suppress(PreconditionFailed):
            self._call_service(
                lambda: bucket.copy_blob(bucket.blob(source), bucket, new_name=destination, **options),
                f"copy {self.address_of(source)} to {destination}",
            )

    def _write_once(self, name: str, expected: int, send: Callable[[Any, dict[str, Any]], None]) -> int:
        from google.api_core.exceptions import NotFound

        token = uuid.uuid4().hex
        options = {"if_generation_match": expected, "checksum": "crc32c", "retry": None, "timeout": TIMEOUT}

        def write_attempt() -> int:
            blob = self._bucket.blob(name)
            blob.metadata = {_TOKEN: token}
            send(blob, options)
            return int(blob.generation)

        try:
            return self._call_service(
                lambda: self._recognise_own_write(write_attempt, name, token), f"write {self.address_of(name)}"
            )
        except NotFound as error:
            raise self._no_bucket_error() from error

    def _recognise_own_write(self, attempt: Callable[[], int], name: str, token: str) -> int:
        from google.api_core.exceptions import PreconditionFailed

        try:
            return attempt()
        except PreconditionFailed as error:
            current = self.find_object(name)
            if current is None or current.metadata.get(_TOKEN) != token:
                raise WriteConflict(name) from error
            return current.generation  # this write's earlier attempt succeeded, but its answer was lost

    def _no_bucket_error(self) -> NoBucket:
        return NoBucket(
            f"there is no bucket {bucket_address(self.name)}",
            hint="apply infra/ first: it creates the platform's buckets",
        )

    def _call_service(self, call: Callable[[], Answer], what: str) -> Answer:
        return call_with_retries(call, what)

    @property
    def _bucket(self) -> Any:
        return self._clients.storage.bucket(self.name)

    def address_of(self, name: str) -> str:
        """Return the address of an object or a folder."""
        return str(ObjectAddress(self.name, name))


def _to_stored(blob: Any) -> StoredObject:
    return StoredObject(
        blob.name, int(blob.generation), int(blob.size or 0), blob.crc32c or "", blob.updated, dict(blob.metadata or {})
    )
