"""Buckets and objects: each write is a new generation, each change of metadata a new metageneration."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import google_crc32c

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid
from tests.gcp.standin.rules.json_limits import check_object_name

Json = dict[str, Any]
# What a caller may say of an object; everything else is the service's.
WRITABLE = (
    "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "contentType", "customTime",
    "eventBasedHold", "metadata", "storageClass", "temporaryHold",
)  # fmt: skip
HOST = "https://storage.googleapis.com"


@dataclass
class Object:
    """One generation of an object."""

    bucket: str
    name: str
    data: bytes
    generation: int
    created: str
    said: Json = field(default_factory=dict)
    metageneration: int = 1
    updated: str = ""
    deleted: str = ""

    @property
    def hashes(self) -> dict[str, str]:
        """Its md5 and crc32c, in Base64."""
        md5 = hashlib.md5(self.data, usedforsecurity=False).digest()
        return {"md5Hash": _b64(md5), "crc32c": _b64(google_crc32c.value(self.data).to_bytes(4, "big"))}

    def resource(self) -> Json:
        """Return what the API says of it."""
        from urllib.parse import quote

        path = f"b/{self.bucket}/o/{quote(self.name, safe='')}"
        at = f"{path}?generation={self.generation}"
        return {
            "kind": "storage#object", "id": f"{self.bucket}/{self.name}/{self.generation}", "name": self.name,
            "selfLink": f"{HOST}/storage/v1/{path}", "mediaLink": f"{HOST}/download/storage/v1/{at}&alt=media",
            "bucket": self.bucket, "generation": str(self.generation), "metageneration": str(self.metageneration),
            "size": str(len(self.data)), "timeCreated": self.created, "updated": self.updated or self.created,
            "etag": _b64(f"{self.generation}/{self.metageneration}".encode()), "storageClass": "STANDARD",
            **self.hashes, **({"timeDeleted": self.deleted} if self.deleted else {}), **self.said,
        }  # fmt: skip

    def patch(self, change: Json, now: str, *, whole: bool = False) -> None:
        """Change what it says of itself; None takes a key away. `whole`: what is not said is taken away too."""
        said = {} if whole else dict(self.said)
        for key in (key for key in WRITABLE if key in change):
            said[key] = _merged(said.get(key), change[key])
        self.said = {key: value for key, value in said.items() if value is not None}
        self.metageneration, self.updated = self.metageneration + 1, now


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return {key: value for key, value in new.items() if value is not None} if isinstance(new, dict) else new
    return {key: value for key, value in {**old, **new}.items() if value is not None}


@dataclass
class Bucket:
    """A bucket: every generation of every object that is still kept, oldest first."""

    name: str
    created: str
    project: str
    said: Json = field(default_factory=dict)
    generation: int = 1
    metageneration: int = 1
    objects: dict[str, list[Object]] = field(default_factory=dict)

    def resource(self) -> Json:
        """Return what the API says of it."""
        return {
            "kind": "storage#bucket", "id": self.name, "name": self.name, "projectNumber": "1234567890",
            "selfLink": f"{HOST}/storage/v1/b/{self.name}", "metageneration": str(self.metageneration),
            "location": "US", "locationType": "region", "storageClass": "STANDARD", "timeCreated": self.created,
            "updated": self.created, "etag": _b64(str(self.metageneration).encode()), **self.said,
        }  # fmt: skip

    @property
    def versioned(self) -> bool:
        """Whether it keeps what is overwritten or deleted."""
        return bool(self.said.get("versioning", {}).get("enabled"))

    def live(self, name: str) -> Object | None:
        """Return the object that the name means now."""
        found = self.objects.get(name, [])
        return found[-1] if found and not found[-1].deleted else None

    def find(self, name: str, generation: str | None) -> Object | None:
        """Return one generation, or the live one."""
        if generation is None:
            return self.live(name)
        return next((each for each in self.objects.get(name, []) if str(each.generation) == generation), None)

    def each(self, *, versions: bool) -> Iterator[Object]:
        """Yield the objects by name, in the order of UTF-8 as the API lists; with `versions` all generations."""
        for name in sorted(self.objects, key=str.encode):
            yield from (each for each in self.objects[name] if versions or not each.deleted)

    def retire(self, name: str, now: str) -> None:
        """Make the live object one of the past, kept only where the bucket keeps versions."""
        found = self.live(name)
        if found is not None:
            found.deleted = now
            if not self.versioned:
                self.remove(found)

    def remove(self, one: Object) -> None:
        """Remove one generation for good."""
        self.objects[one.name].remove(one)
        if not self.objects[one.name]:
            del self.objects[one.name]


class Store:
    """All buckets of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.buckets: dict[str, Bucket] = {}
        self.uploads: dict[str, Any] = {}
        self._generation = 0

    def now(self) -> str:
        """Return the time as the API writes it."""
        return self._cloud.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def new_id(self) -> str:
        """Return a name for an upload."""
        return self._cloud.next_id()

    def bucket(self, name: str) -> Bucket:
        """Return a bucket. Raises Refused where there is none."""
        if name not in self.buckets:
            raise Refused("NOT_FOUND", "The specified bucket does not exist.")
        return self.buckets[name]

    def object(self, bucket: str, name: str, generation: str | None = None) -> Object:
        """Return an object. Raises Refused where there is none."""
        found = self.bucket(bucket).find(name, generation)
        if found is None:
            raise Refused("NOT_FOUND", f"No such object: {bucket}/{name}")
        return found

    def write(self, bucket: Bucket, name: str, data: bytes, said: Json) -> Object:
        """Keep a new generation. Raises Refused where the bytes are not those that the caller's hashes speak of."""
        check_object_name(name)
        now = self.now()
        found = Object(bucket.name, name, data, self._next_generation(), now, _writable(said))
        for key, value in found.hashes.items():
            if said.get(key, value) != value:
                raise invalid(f'Provided {key} hash "{said[key]}" doesn\'t match calculated {key} hash "{value}".')
        bucket.retire(name, now)
        bucket.objects.setdefault(name, []).append(found)
        return found

    def _next_generation(self) -> int:
        """Microseconds as Google's, but never the same twice and never backwards."""
        self._generation = max(self._generation + 1, int(self._cloud.now().timestamp() * 1_000_000))
        return self._generation


def _writable(said: Json) -> Json:
    found = {key: said[key] for key in WRITABLE if said.get(key) is not None}
    return {"contentType": "application/octet-stream", **found}


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()
