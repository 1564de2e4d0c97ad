"""Every write of the record on Google Cloud, in one place, named for the tests that kill the process before and after it."""

from __future__ import annotations

from pathlib import Path

from mlspec.targets.gcp.record.bucket import Bucket
from mlspec.targets.gcp.record.snapshots import RecordSnapshot, SnapshotStore


def commit(snapshots: SnapshotStore, forecast: str, data: bytes, expected: int, point: str) -> RecordSnapshot:  # noqa: ARG001  (`point` names it)
    """Write a forecast's record. Raises Moved where it is not at the generation `expected` any more."""
    return snapshots.write_snapshot(forecast, data, expected)


def upload_new_file(bucket: Bucket, name: str, source: Path) -> int:
    """Write a file as a new object. Raises Moved where there is one of that name."""
    return bucket.upload_file(name, source)
