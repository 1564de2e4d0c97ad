"""One writer per forecast over all machines: a lease object that its holder renews. Another run may take it once it has expired.

A run that takes an expired lease first rewrites the forecast's record (`Fence`), which changes the record's generation. If the
former holder was only paused, its next write expects the old generation, and the service refuses it
(Kleppmann 2016, "How to do distributed locking": the generation is the fencing token; a clock alone is not safe).
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mlspec.errors import MlspecError, StateError
from mlspec.targets.gcp.record.bucket import NEW, Bucket, StoredObject, WriteConflict
from mlspec.targets.gcp.record.snapshots import FOLDER
from mlspec.targets.record.locking import describe_holder, wait_for_lock

logger = logging.getLogger(__name__)
LIFE = timedelta(seconds=60)  # a lease expires after this time without a renewal
SKEW = timedelta(seconds=15)  # allowed difference between a machine's clock and the service's
Fence = Callable[[], None]


@dataclass
class Lease:
    """A lease that this process holds, with the generation of its last write. `renewed` is monotonic time in seconds."""

    bucket: Bucket
    name: str
    words: str
    generation: int
    renewed: float
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def renew(self) -> None:
        """Renew the lease. Raises WriteConflict if another run took it."""
        with self._one_at_a_time:
            began = time.monotonic()
            self.generation = self.bucket.write_object(self.name, _lease_content(self.words), self.generation)
            self.renewed = began

    def confirm(self, forecast: str) -> None:
        """Raise StateError if this process may have lost the lease. Called before an effect without a precondition."""
        if time.monotonic() - self.renewed > LIFE.total_seconds():
            with suppress(WriteConflict):
                self.renew()
                return
            raise lock_lost_error(forecast)


def locked_forecasts(bucket: Bucket) -> frozenset[str]:
    """Return the forecasts whose lease is held. Makes one list call."""
    leases = (stored for stored in bucket.list_objects(FOLDER, glob=f"{FOLDER}*/lease") if not _ran_out(stored))
    return frozenset(stored.name.split("/")[1] for stored in leases)


def lock_lost_error(forecast: str) -> StateError:
    """Return the error of a run that was paused or offline while another run took its lease."""
    return StateError(
        f"the lock of '{forecast}' was lost: another run took it, so this run can no longer write",
        hint="run the same command again: finished steps are not repeated",
    )


@contextmanager
def hold_lease(
    bucket: Bucket, *, name: str, forecast: str, operation: str, since: str, timeout: float, fence: Fence
) -> Iterator[Lease]:
    """Lock a forecast. Raises LockHeld with the holder's description after `timeout` seconds of waiting."""
    words, leases = describe_holder(operation, since), list[Lease]()

    def try_take() -> bool:
        lease = _take_lease(bucket, name, words, fence)
        leases.extend([lease] if lease else [])
        return lease is not None

    wait_for_lock(try_take, forecast, lambda: _read_holder(bucket, name), timeout)
    lease, released = leases[0], threading.Event()
    renewing = threading.Thread(target=_keep_renewing, args=(lease, released), name=f"lease {forecast}", daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        released.set()
        renewing.join()
        _give_back(lease)


def _take_lease(bucket: Bucket, name: str, words: str, fence: Fence) -> Lease | None:
    """Take the lease if it is free or expired; None if another run holds it or took it first."""
    stored, began = bucket.find_object(name), time.monotonic()
    if stored and not _is_over(bucket, stored):
        return None
    try:
        generation = bucket.write_object(name, _lease_content(words), stored.generation if stored else NEW)
    except WriteConflict:
        return None
    if stored:
        fence()
    return Lease(bucket, name, words, generation, began)


def _is_over(bucket: Bucket, stored: StoredObject) -> bool:
    """Return whether a lease has expired.

    A lease from the future shows that this machine's clock is behind the service's. By this clock the lease of a holder that died
    would never expire, so the service's clock decides.
    """
    if stored.updated <= _now() + SKEW:
        return _ran_out(stored)
    return _service_time(bucket, stored.name) > stored.updated + LIFE + SKEW


def _ran_out(stored: StoredObject) -> bool:
    return _now() > stored.updated + LIFE + SKEW


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  (this compares the clocks of two machines)


def _service_time(bucket: Bucket, name: str) -> datetime:
    """Return the service's time: when it stored an object that is written for this, and removed."""
    probe = f"{name}-{uuid.uuid4().hex}"
    bucket.write_object(probe, b"", NEW)
    try:
        stored = bucket.find_object(probe)
    finally:
        bucket.delete_object(probe)
    if stored is None:
        raise StateError(
            f"{bucket.address_of(probe)} vanished", hint="let no other program delete objects of this bucket"
        )
    return stored.updated


def _keep_renewing(lease: Lease, released: threading.Event) -> None:
    """Renew a lease until it is released. If the lease is lost, the next write of the record fails."""
    while not released.wait(LIFE.total_seconds() / 4):
        try:
            lease.renew()
        except WriteConflict:
            logger.info("another run took the lease %s", lease.name)
            return
        except MlspecError as error:
            logger.info("the lease %s could not be renewed; retrying: %s", lease.name, error.message)
        except Exception as error:  # logged here, as Python prints a thread's exception with every secret in it
            said = type(error).__name__
            logger.exception("a defect of mlspec: the lease %s could not be renewed; retrying: %s", lease.name, said)


def _give_back(lease: Lease) -> None:
    """Release the lease now, before it expires. A lost lease belongs to another run and is not removed."""
    with suppress(MlspecError):
        stored = lease.bucket.find_object(lease.name)
        if stored and stored.generation == lease.generation:
            lease.bucket.delete_object(lease.name, stored.generation)


def _lease_content(words: str) -> bytes:
    return json.dumps({"holder": words}).encode()


def _read_holder(bucket: Bucket, name: str) -> str:
    content = bucket.read_object(name)
    try:
        return str(json.loads(content[0])["holder"]) if content else ""
    except (ValueError, KeyError, TypeError):
        return "an unknown holder (its description cannot be read)"
