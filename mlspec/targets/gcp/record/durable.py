"""Every write of the record on Google Cloud. Tests kill the process before and after each write, by its name."""

from __future__ import annotations

from pathlib import Path

from mlspec.targets.gcp.record.bucket import Bucket
from mlspec.targets.gcp.record.snapshots import RecordSnapshot, SnapshotStore


def commit(snapshots: SnapshotStore, forecast: str, data: bytes, expected: int, point: str) -> RecordSnapshot:  # noqa: ARG001
    """Write a forecast's record. Raises WriteConflict if it is no longer at the generation `expected`. Tests read `point`."""
    return snapshots.write_snapshot(forecast, data, expected)


def upload_new_file(bucket: Bucket, name: str, source: Path) -> int:
    """Upload a file as a new object. Raises WriteConflict if the object exists."""
    return bucket.upload_file(name, source)
