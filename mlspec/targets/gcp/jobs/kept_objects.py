"""What a step in a container has made so far, as objects in the state bucket, for the run after one whose machine was lost.

An object is one result: a write that is cut off leaves none. They are in the forecast's own folder, by step and by the step's key
(`engine.pipeline`), so that other data or another spec begin anew. The step removes them when its result is in the bucket. What a
step leaves that is never run again, a lifecycle rule removes (infra/storage.tf).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from mlspec.errors import MlspecError, TargetError
from mlspec.state.step import StepName
from mlspec.targets.gcp.record.bucket import NEW, Bucket, StoredObject, WriteConflict
from mlspec.targets.gcp.record.snapshots import FOLDER

logger = logging.getLogger(__name__)
# Seconds without a call after one that failed: each takes up to two minutes (`retry.DEADLINE`), and the step has work to do.
PAUSE = 600.0
_SUFFIX = ".kept"


class KeptObjects:
    """The results of one step in a bucket: of one key, below the folder `parent`. Implements `state.step.ResultStore`."""

    def __init__(self, bucket: Bucket, parent: str, key: str) -> None:
        self._bucket, self._parent, self._folder = bucket, parent, f"{parent}{key}/"
        self._stored: dict[str, StoredObject] = {}
        self._paused_until = 0.0

    def find_stored(self) -> None:
        """Find the results of an earlier run, and remove those of other keys. Raises TargetError."""
        with self._pause_if_it_fails(f"look for what is in {self._parent}"):
            for stored in self._bucket.list_objects(self._parent):
                if stored.name.startswith(self._folder):
                    self._stored[stored.name] = stored
                else:
                    self._bucket.delete_generation(stored)

    def read_result(self, name: str) -> bytes | None:
        """Return the object of a result; None if no earlier run kept one. Raises TargetError."""
        stored = self._stored.get(self._object_name(name))
        if stored is None:
            return None
        with self._pause_if_it_fails(f"read {stored.name}"):
            return self._bucket.read_generation(stored)

    def write_result(self, name: str, data: bytes) -> None:
        """Write the object of a result, also over a damaged one. Of two runs that write it, the first does. Raises TargetError."""
        stored = self._stored.get(self._object_name(name))
        with self._pause_if_it_fails(f"keep {self._object_name(name)}"), suppress(WriteConflict):
            self._bucket.write_object(self._object_name(name), data, stored.generation if stored else NEW)

    def remove_all(self) -> None:
        """Remove all results, also those that another run wrote. Raises TargetError."""
        with self._pause_if_it_fails(f"remove what is in {self._folder}"):
            for stored in self._bucket.list_objects(self._folder):
                self._bucket.delete_generation(stored)

    def _object_name(self, name: str) -> str:
        return f"{self._folder}{name}{_SUFFIX}"

    @contextmanager
    def _pause_if_it_fails(self, what: str) -> Iterator[None]:
        """Raise TargetError if the block fails, whatever Google's client raises, and then at once for some time."""
        if time.monotonic() < self._paused_until:
            raise TargetError(f"cannot {what}: a call before it failed, and none is made for some minutes")
        try:
            yield
        except MlspecError:
            self._paused_until = time.monotonic() + PAUSE
            raise
        except Exception as error:
            self._paused_until = time.monotonic() + PAUSE
            raise TargetError(f"cannot {what}: {type(error).__name__}: {error}") from error


def unfinished_folder(forecast: str) -> str:
    """Return the folder in the state bucket for what a forecast's steps have made so far."""
    return f"{FOLDER}{forecast}/unfinished/"


@contextmanager
def keep_objects(bucket: Bucket, forecast: str, step: StepName, key: str) -> Iterator[KeptObjects]:
    """Return the place of a step with this key, and remove what is there if the block ends well. Removes what is of other keys.

    Nothing fails if the account may not use it, or if Google cannot be reached: the step keeps less then.
    """
    kept = KeptObjects(bucket, f"{unfinished_folder(forecast)}{step}/", key)
    _try_to(kept.find_stored, "what an earlier run had kept is not found")
    yield kept
    _try_to(kept.remove_all, "what the step had kept is left to the next run")


def _try_to(call: Callable[[], None], otherwise: str) -> None:
    try:
        call()
    except TargetError as error:
        logger.info("%s: %s", otherwise, error)
