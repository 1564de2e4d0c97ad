"""One writer a forecast, on whichever machine: a lease object that its holder renews, and that anyone may take once it ran out.

Taking a lease that ran out writes the forecast's record anew (`Fence`), so that a holder which was paused meanwhile stands on a
generation that is gone: whatever it writes next is refused by the service, and has no effect
(Kleppmann 2016, "How to do distributed locking": the token is what makes a lease safe, not its clock).
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mlspec.errors import MlspecError, StateError
from mlspec.targets.gcp.record.bucket import NEW, Bucket, StoredObject, WriteConflict
from mlspec.targets.gcp.record.snapshots import FOLDER
from mlspec.targets.record.locking import describe_holder, wait_for_lock

logger = logging.getLogger(__name__)
LIFE = timedelta(seconds=60)  # without a renewal, a lease runs out after so long
SKEW = timedelta(seconds=15)  # by which a machine's clock may differ from the service's
Fence = Callable[[], None]


@dataclass
class Lease:
    """A lease that this process holds, at the generation that it wrote last. `renewed` is a monotonic moment, in seconds."""

    bucket: Bucket
    name: str
    words: str
    generation: int
    renewed: float
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def renew(self) -> None:
        """Write the lease anew. Raises Moved where somebody else took it."""
        with self._one_at_a_time:
            began = time.monotonic()
            self.generation = self.bucket.write_object(self.name, _lease_content(self.words), self.generation)
            self.renewed = began

    def confirm(self, forecast: str) -> None:
        """Raise StateError where this process may hold the lease no longer: before an effect that no precondition guards."""
        if time.monotonic() - self.renewed > LIFE.total_seconds():
            with suppress(WriteConflict):
                self.renew()
                return
            raise lock_lost_error(forecast)


def locked_forecasts(bucket: Bucket) -> frozenset[str]:
    """Return the forecasts whose lease somebody holds: one list call."""
    leases = (stored for stored in bucket.list_objects(FOLDER, glob=f"{FOLDER}*/lease") if not _ran_out(stored))
    return frozenset(stored.name.split("/")[1] for stored in leases)


def lock_lost_error(forecast: str) -> StateError:
    """Return what is said where another run took over while this one was paused or cut off."""
    return StateError(
        f"the lock of '{forecast}' was lost: another run took over, and what this one still had to write has no effect",
        hint="run the same command again: it goes on from what was recorded",
    )


@contextmanager
def hold_lease(
    bucket: Bucket, name: str, forecast: str, operation: str, since: str, timeout: float, fence: Fence
) -> Iterator[Lease]:
    """Hold a forecast alone, or raise LockHeld with the holder's own words after `timeout` seconds of waiting."""
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
    """Take the lease if it is free or ran out; None where somebody holds it, or was quicker."""
    stored, began = bucket.find_object(name), time.monotonic()
    if stored and not _ran_out(stored):
        return None
    try:
        generation = bucket.write_object(name, _lease_content(words), stored.generation if stored else NEW)
    except WriteConflict:
        return None
    if stored:
        fence()
    return Lease(bucket, name, words, generation, began)


def _ran_out(stored: StoredObject) -> bool:
    return datetime.now(UTC) > stored.updated + LIFE + SKEW  # noqa: TID251  (two machines' clocks are what is compared)


def _keep_renewing(lease: Lease, released: threading.Event) -> None:
    """Renew a lease until it is given back; one that is lost is found out by what is written next."""
    while not released.wait(LIFE.total_seconds() / 4):
        try:
            lease.renew()
        except WriteConflict:
            logger.info("the lease %s is another run's now", lease.name)
            return
        except MlspecError as error:
            logger.info("the lease %s could not be renewed, and is tried again: %s", lease.name, error.message)


def _give_back(lease: Lease) -> None:
    """Free the lease now, not when it runs out; one that was lost is another's."""
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
        return "somebody whose words cannot be read"
