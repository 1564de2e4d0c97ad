"""Addresses of objects in Cloud Storage, `gs://bucket/object`: put together and taken apart in this one place."""

from __future__ import annotations

from typing import NamedTuple

SCHEME = "gs://"


class ObjectAddress(NamedTuple):
    """A bucket, and the name of an object or folder in it; either is empty where an address lacks it. As text: gs://bucket/name."""

    bucket: str
    name: str

    def __str__(self) -> str:
        return f"{bucket_address(self.bucket)}/{self.name}"


def bucket_address(bucket: str) -> str:
    """Return a bucket's own address, as gcloud takes it."""
    return f"{SCHEME}{bucket}"


def is_object_address(uri: str) -> bool:
    """Return whether a text is meant as an address in Cloud Storage."""
    return uri.startswith(SCHEME)


def parse_object_address(uri: str) -> ObjectAddress:
    """Return the bucket and the object that an address names. The text is one for which `is_object_address` holds."""
    bucket, _, name = uri.removeprefix(SCHEME).partition("/")
    return ObjectAddress(bucket, name)
