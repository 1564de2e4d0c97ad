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
from mlspec.targets.gcp.images import FOLDER
from mlspec.targets.gcp.storage import NEW, Bucket, Moved, Stored
from mlspec.targets.record.locking import holder_words, wait_for

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
            self.generation = self.bucket.write(self.name, _content(self.words), self.generation)
            self.renewed = began

    def confirm(self, forecast: str) -> None:
        """Raise StateError where this process may hold the lease no longer: before an effect that no precondition guards."""
        if time.monotonic() - self.renewed > LIFE.total_seconds():
            with suppress(Moved):
                self.renew()
                return
            raise lost(forecast)


def held(bucket: Bucket) -> frozenset[str]:
    """Return the forecasts whose lease somebody holds: one list call."""
    leases = (each for each in bucket.list(FOLDER, glob=f"{FOLDER}*/lease") if not _ran_out(each))
    return frozenset(each.name.split("/")[1] for each in leases)


def lost(forecast: str) -> StateError:
    """Return what is said where another run took over while this one was paused or cut off."""
    return StateError(
        f"the lock of '{forecast}' was lost: another run took over, and what this one still had to write has no effect",
        hint="run the same command again: it goes on from what was recorded",
    )


@contextmanager
def hold(
    bucket: Bucket, name: str, forecast: str, operation: str, since: str, timeout: float, fence: Fence
) -> Iterator[Lease]:
    """Hold a forecast alone, or raise LockHeld with the holder's own words after `timeout` seconds of waiting."""
    words, taken = holder_words(operation, since), list[Lease]()

    def take() -> bool:
        lease = _take(bucket, name, words, fence)
        taken.extend([lease] if lease else [])
        return lease is not None

    wait_for(take, forecast, lambda: _holder(bucket, name), timeout)
    lease, done = taken[0], threading.Event()
    renewing = threading.Thread(target=_keep, args=(lease, done), name=f"lease {forecast}", daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        done.set()
        renewing.join()
        _give_back(lease)


def _take(bucket: Bucket, name: str, words: str, fence: Fence) -> Lease | None:
    """Take the lease if it is free or ran out; None where somebody holds it, or was quicker."""
    seen, began = bucket.look(name), time.monotonic()
    if seen and not _ran_out(seen):
        return None
    try:
        generation = bucket.write(name, _content(words), seen.generation if seen else NEW)
    except Moved:
        return None
    if seen:
        fence()
    return Lease(bucket, name, words, generation, began)


def _ran_out(seen: Stored) -> bool:
    return datetime.now(UTC) > seen.updated + LIFE + SKEW  # noqa: TID251  (two machines' clocks are what is compared)


def _keep(lease: Lease, done: threading.Event) -> None:
    """Renew a lease until it is given back; one that is lost is found out by what is written next."""
    while not done.wait(LIFE.total_seconds() / 4):
        try:
            lease.renew()
        except Moved:
            logger.info("the lease %s is another run's now", lease.name)
            return
        except MlspecError as error:
            logger.info("the lease %s could not be renewed, and is tried again: %s", lease.name, error.message)


def _give_back(lease: Lease) -> None:
    """Free the lease now, not when it runs out; one that was lost is another's."""
    with suppress(MlspecError):
        seen = lease.bucket.look(lease.name)
        if seen and seen.generation == lease.generation:
            lease.bucket.delete(lease.name, seen.generation)


def _content(words: str) -> bytes:
    return json.dumps({"holder": words}).encode()


def _holder(bucket: Bucket, name: str) -> str:
    found = bucket.read(name)
    try:
        return str(json.loads(found[0])["holder"]) if found else ""
    except (ValueError, KeyError, TypeError):
        return "somebody whose words cannot be read"
