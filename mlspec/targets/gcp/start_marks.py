"""Remembers in the state bucket for which messages the loop was started: one small object a message, in its forecast's folder.

A lifecycle rule removes them when Pub/Sub can no longer deliver their messages (infra/storage.tf).
"""

from __future__ import annotations

from mlspec.state.start_mark import StartMark
from mlspec.targets.gcp.record.bucket import Bucket, WriteConflict
from mlspec.targets.gcp.record.snapshots import FOLDER

_CLAIMED, _STARTED = b"claimed", b"started"


class BucketStartMarks:
    """The marks in one bucket (`engine.alert_starts.StartMarks`)."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def read_mark(self, forecast: str, message: str) -> StartMark | None:
        """Return what is remembered of a message; None if it is new."""
        content = self._bucket.read_object(_object_name(forecast, message))
        return StartMark(content[0] == _STARTED, content[1].updated, content[1].generation) if content else None

    def write_mark(self, forecast: str, message: str, *, started: bool, over: int) -> int | None:
        """Write a mark over the generation `over` (NEW_MARK: there is none). Return its own; None if another process wrote one."""
        name, content = _object_name(forecast, message), _STARTED if started else _CLAIMED
        try:
            return self._bucket.write_object(name, content, over)
        except WriteConflict:
            return None

    def remove_mark(self, forecast: str, message: str, generation: int) -> None:
        """Remove a mark, if no other process has written over it."""
        self._bucket.delete_object(_object_name(forecast, message), generation)


def starts_folder(forecast: str) -> str:
    """Return the folder of a forecast's marks in the state bucket."""
    return f"{FOLDER}{forecast}/starts/"


def _object_name(forecast: str, message: str) -> str:
    return f"{starts_folder(forecast)}{message}.alert"
