"""Every write of the record on Google Cloud, in one place, named for the tests that kill the process before and after it."""

from __future__ import annotations

from pathlib import Path

from mlspec.targets.gcp.record.bucket import Bucket
from mlspec.targets.gcp.record.snapshots import Image, Images


def commit(images: Images, forecast: str, data: bytes, expected: int, point: str) -> Image:  # noqa: ARG001  (`point` names it)
    """Write a forecast's record. Raises Moved where it is not at the generation `expected` any more."""
    return images.put(forecast, data, expected)


def keep(bucket: Bucket, name: str, source: Path) -> int:
    """Write a file as a new object. Raises Moved where there is one of that name."""
    return bucket.upload(name, source)
