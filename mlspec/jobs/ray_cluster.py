"""Ray's workers: one started on this machine for as long as it is needed, or a cluster that is there (Ray Client, Vertex AI).

What is sent is a share of the panel and what to do with it; what comes back is a forecast, or the trees of the first of those who
learned them together. mlspec and the libraries that shape a model have to be the same there as here, which each worker checks.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import cycle
from typing import Any, TypeVar

# Read when ray is imported: nothing is sent to its makers, and its first process may start slowly on a busy machine.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "120")

import ray
from ray import exceptions

from mlspec import __version__
from mlspec.errors import MlspecError, TargetError
from mlspec.forecast.frame import Panel
from mlspec.forecast.workers import Place
from mlspec.jobs.quiet import alone
from mlspec.spec.forecast import Training

T = TypeVar("T")
# Seconds that workers may take to be there: a cluster that grows by demand takes minutes to start a machine.
PATIENCE = 900.0
STARTS = 3  # tries to start Ray on this machine: it gives its processes 30 s each time, and no setting gives them more
WORKERS = 4  # and not the cores of whoever runs it: the trees follow from their number
LIBRARIES = ("lightgbm", "mlforecast", "numpy", "pandas", "scikit-learn", "scipy", "statsforecast")


@contextmanager
def connected(training: Training) -> Iterator[Cluster]:
    """Yield the workers of a cluster. Raises TargetError where it does not answer, or has not as many free."""
    where = f"at {training.address}" if training.address else "on this machine"
    count = training.workers or WORKERS
    _begin(training.address, count, where)
    try:
        yield Cluster(count, where)
    finally:
        ray.shutdown()


def _begin(address: str | None, count: int, where: str) -> None:
    """Connect, and leave signals to whoever heard them before: Ray takes SIGTERM for itself."""
    heard = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        _start(address, count)
    except Exception as error:  # noqa: BLE001  (Ray raises errors of its own, of Python, and Exception itself)
        raise TargetError(
            f"the Ray cluster {where} does not answer: {' '.join(str(error).split())}",
            hint="see that it runs, that this machine reaches it, and that Ray and Python have the same version there and here; "
            "one that was started with a token (Ray has them since 2.52) answers only where RAY_AUTH_MODE=token is set with "
            "RAY_AUTH_TOKEN_PATH, the file that holds it",
        ) from None
    finally:
        for each, handler in heard.items():
            signal.signal(each, handler)


def _start(address: str | None, count: int) -> None:
    """Connect to a cluster, or start one on this machine. Raises whatever Ray raises, which may be Exception itself."""
    # `local`, as without an address Ray looks for one in the environment.
    options: dict[str, Any] = {} if address else {"num_cpus": count, "include_dashboard": False}
    starts = 1 if address else STARTS
    for start in range(1, starts + 1):
        try:
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
        except Exception as error:
            ray.shutdown()  # half of a connection is none
            if start == starts or "timed out" not in str(error).lower():
                raise
        else:
            return


class Cluster:
    """The workers of a Ray cluster, the same ones as long as it is connected; see `forecast.workers.Workers`."""

    def __init__(self, count: int, where: str, patience: float = PATIENCE) -> None:
        self.count, self._where = count, where
        seat: Any = ray.remote(num_cpus=1)(_Seat)
        try:
            with self._in_words():
                self._seats: list[Any] = [seat.remote() for _ in range(count)]
        except ModuleNotFoundError as error:  # Ray Client's server unpacks what is sent before a worker does
            raise TargetError(f"the Ray cluster {where} cannot start a worker: {error}", hint=_same()) from None
        self._seated(patience)

    def each(self, work: Callable[[Panel], T], shares: Iterable[Panel]) -> list[T]:
        """Do the work on each share by itself."""
        turns = zip(cycle(self._seats), self._sent(shares), strict=False)
        return self._results([seat.do.remote(work, share) for seat, share in turns])

    def together(self, work: Callable[[Panel, Place], T], shares: Iterable[Panel]) -> list[T]:
        """Do the work on all shares at the same time."""
        sent = list(self._sent(shares))
        seats = self._seats[: len(sent)]
        addresses = tuple(self._results([seat.listen.remote() for seat in seats]))
        turns = enumerate(zip(seats, sent, strict=True))
        return self._results([seat.do.remote(work, share, Place(rank, addresses)) for rank, (seat, share) in turns])

    def _sent(self, shares: Iterable[Panel]) -> Iterator[Any]:
        """Yield where each share is in the cluster, one sent after the other; Ray lets go of it after the work."""
        for share in shares:
            with self._in_words():
                sent = ray.put(share)
            yield sent

    def _seated(self, patience: float) -> None:
        """Wait until all workers are there, equipped as this process is."""
        asked = [seat.equipped.remote(versions()) for seat in self._seats]
        there, missing = ray.wait(asked, num_returns=len(asked), timeout=patience)
        self._results(there)
        if missing:
            raise TargetError(
                f"the Ray cluster {self._where} had {len(there)} of {len(asked)} workers free within {patience:.0f} s",
                hint="ask for fewer by training.workers, or give it more CPUs",
            )

    def _results(self, asked: list[Any]) -> list[Any]:
        """Return results in order; raises as soon as one failed, as those who learn together would wait for it."""
        waiting = list(asked)
        with self._in_words():
            while waiting:
                done, waiting = ray.wait(waiting)
                ray.get(done)
            return list(ray.get(asked))

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Say what a worker says of the data as it says it, and anything else as a failure of the cluster."""
        try:
            yield
        except exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None)
            raise (cause if isinstance(cause, MlspecError) else self._failed(cause or error)) from None
        except (exceptions.RayError, ConnectionError) as error:
            raise self._failed(error) from None

    def _failed(self, error: BaseException) -> TargetError:
        return TargetError(
            f"a worker of the Ray cluster {self._where} failed: {_line(error)}",
            hint="its log says more: ray logs; a worker that is killed mostly lacked memory: give training.workers more of them",
        )


class _Seat:
    """A worker: one process of the cluster."""

    def equipped(self, wanted: dict[str, str]) -> None:
        same(wanted, versions())

    def listen(self) -> str:
        """Keep a port free until the work takes it, and return where it is."""
        self.door = socket.socket()
        self.door.bind(("", 0))
        here = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return f"{here}:{self.door.getsockname()[1]}"

    def do(self, work: Callable[..., T], share: Panel, place: Place | None = None) -> T:
        """Work as a step does."""
        if place is None:
            with alone():
                return work(share)
        self.door.close()
        with alone():
            return work(share, place)


def versions() -> dict[str, str]:
    """Return the versions of mlspec and of the libraries that shape a model."""
    return {"mlspec": __version__} | {name: version(name) for name in LIBRARIES}


def same(wanted: dict[str, str], found: dict[str, str]) -> None:
    """Raise TargetError where a worker has other versions: a version of a model names the libraries that made it."""
    other = [f"{name} {found[name]}, and here it is {wanted[name]}" for name in wanted if found[name] != wanted[name]]
    if other:
        raise TargetError(
            f"a worker of the Ray cluster has {', '.join(other)}",
            hint=f"{_same()}, and the versions that are named",
        )


def _same() -> str:
    return f"install the same there as here: pip install 'mlspec[ray]=={__version__}'"


def _line(error: BaseException) -> str:
    """Return the last line of an error's text: Ray puts a worker's own words at the end."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
