"""Formats and parses addresses of objects in Cloud Storage: `gs://bucket/object`."""

from __future__ import annotations

from typing import NamedTuple

SCHEME = "gs://"


class ObjectAddress(NamedTuple):
    """A bucket, and the name of an object or folder in it; either is empty if the address lacks it. As text: gs://bucket/name."""

    bucket: str
    name: str

    def __str__(self) -> str:
        return f"{bucket_address(self.bucket)}/{self.name}"


def bucket_address(bucket: str) -> str:
    """Return a bucket's own address, in the form for gcloud."""
    return f"{SCHEME}{bucket}"


def is_object_address(uri: str) -> bool:
    """Return whether a text is an address in Cloud Storage, by its beginning."""
    return uri.startswith(SCHEME)


def parse_object_address(uri: str) -> ObjectAddress:
    """Return the bucket and the object of an address. `is_object_address` must be true for the text."""
    bucket, _, name = uri.removeprefix(SCHEME).partition("/")
    return ObjectAddress(bucket, name)
