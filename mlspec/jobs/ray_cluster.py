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
from mlspec.forecast.workers import TrainingPeer
from mlspec.installation import DISTRIBUTION
from mlspec.jobs.runtime import single_threaded
from mlspec.spec.forecast import Training

T = TypeVar("T")
# Seconds that workers may take to be there: a cluster that grows by demand takes minutes to start a machine.
PATIENCE = 900.0
STARTS = 3  # tries to start Ray on this machine: it gives its processes 30 s each time, and no setting gives them more
WORKERS = 4  # and not the cores of whoever runs it: the trees follow from their number
LIBRARIES = ("lightgbm", "mlforecast", "numpy", "pandas", "scikit-learn", "scipy", "statsforecast")


@contextmanager
def connect_cluster(training: Training) -> Iterator[RayCluster]:
    """Yield the workers of a cluster. Raises TargetError where it does not answer, or has not as many free."""
    where = f"at {training.address}" if training.address else "on this machine"
    count = training.workers or WORKERS
    _connect_ray(training.address, count, where)
    try:
        yield RayCluster(count, where)
    finally:
        ray.shutdown()


def _connect_ray(address: str | None, count: int, where: str) -> None:
    """Connect, and leave signals to whoever heard them before: Ray takes SIGTERM for itself."""
    previous_handlers = {
        signal_number: signal.getsignal(signal_number) for signal_number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        _start(address, count)
    except Exception as error:
        raise TargetError(
            f"the Ray cluster {where} does not answer: {' '.join(str(error).split())}",
            hint="see that it runs, that this machine reaches it, and that Ray and Python have the same version there and here; "
            "one that was started with a token (Ray has them since 2.52) answers only where RAY_AUTH_MODE=token is set with "
            "RAY_AUTH_TOKEN_PATH, the file that holds it",
        ) from error
    finally:
        for signal_number, handler in previous_handlers.items():
            signal.signal(signal_number, handler)


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


class RayCluster:
    """The workers of a Ray cluster, the same ones as long as it is connected; see `forecast.workers.Workers`."""

    def __init__(self, count: int, where: str, patience: float = PATIENCE) -> None:
        self.count, self._where = count, where
        actor_class: Any = ray.remote(num_cpus=1)(_RayWorker)
        try:
            with self._translate_errors():
                self._actors: list[Any] = [actor_class.remote() for _ in range(count)]
        except ModuleNotFoundError as error:  # Ray Client's server unpacks what is sent before a worker does
            raise TargetError(
                f"the Ray cluster {where} cannot start a worker: {error}", hint=_install_hint()
            ) from error
        self._await_workers(patience)

    def map_shares(self, work: Callable[[Panel], T], shares: Iterable[Panel]) -> list[T]:
        """Do the work on each share by itself."""
        turns = zip(cycle(self._actors), self._put_shares(shares), strict=False)
        return self._collect_results([actor.do.remote(work, share) for actor, share in turns])

    def train_together(self, work: Callable[[Panel, TrainingPeer], T], shares: Iterable[Panel]) -> list[T]:
        """Do the work on all shares at the same time."""
        sent = list(self._put_shares(shares))
        actors = self._actors[: len(sent)]
        addresses = tuple(self._collect_results([actor.listen.remote() for actor in actors]))
        turns = enumerate(zip(actors, sent, strict=True))
        return self._collect_results(
            [actor.do.remote(work, share, TrainingPeer(rank, addresses)) for rank, (actor, share) in turns]
        )

    def _put_shares(self, shares: Iterable[Panel]) -> Iterator[Any]:
        """Yield where each share is in the cluster, one sent after the other; Ray lets go of it after the work."""
        for share in shares:
            with self._translate_errors():
                reference = ray.put(share)
            yield reference

    def _await_workers(self, patience: float) -> None:
        """Wait until all workers are there, equipped as this process is."""
        pending = [actor.equipped.remote(library_versions()) for actor in self._actors]
        ready, missing = ray.wait(pending, num_returns=len(pending), timeout=patience)
        self._collect_results(ready)
        if missing:
            raise TargetError(
                f"the Ray cluster {self._where} had {len(ready)} of {len(pending)} workers free within {patience:.0f} s",
                hint="ask for fewer by training.workers, or give it more CPUs",
            )

    def _collect_results(self, references: list[Any]) -> list[Any]:
        """Return results in order; raises as soon as one failed, as those who learn together would wait for it."""
        waiting = list(references)
        with self._translate_errors():
            while waiting:
                done, waiting = ray.wait(waiting)
                ray.get(done)
            return list(ray.get(references))

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Say what a worker says of the data as it says it, and anything else as a failure of the cluster."""
        try:
            yield
        except exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None)
            raise (cause if isinstance(cause, MlspecError) else self._cluster_error(cause or error)) from error
        except (exceptions.RayError, ConnectionError) as error:
            raise self._cluster_error(error) from error

    def _cluster_error(self, error: BaseException) -> TargetError:
        return TargetError(
            f"a worker of the Ray cluster {self._where} failed: {_last_line(error)}",
            hint="its log says more: ray logs; a worker that is killed mostly lacked memory: give training.workers more of them",
        )


class _RayWorker:
    """A worker: one process of the cluster."""

    def check_versions(self, expected: dict[str, str]) -> None:
        require_same_versions(expected, library_versions())

    def reserve_port(self) -> str:
        """Keep a port free until the work takes it, and return where it is."""
        self.reserved_socket = socket.socket()
        self.reserved_socket.bind(("", 0))
        address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return f"{address}:{self.reserved_socket.getsockname()[1]}"

    def run_share(self, work: Callable[..., T], share: Panel, peer: TrainingPeer | None = None) -> T:
        """Work as a step does."""
        if peer is None:
            with single_threaded():
                return work(share)
        self.reserved_socket.close()
        with single_threaded():
            return work(share, peer)


def library_versions() -> dict[str, str]:
    """Return the versions of mlspec and of the libraries that shape a model."""
    return {"mlspec": __version__} | {name: version(name) for name in LIBRARIES}


def require_same_versions(expected: dict[str, str], actual: dict[str, str]) -> None:
    """Raise TargetError where a worker has other versions: a version of a model names the libraries that made it."""
    differences = [
        f"{name} {actual[name]}, and here it is {expected[name]}" for name in expected if actual[name] != expected[name]
    ]
    if differences:
        raise TargetError(
            f"a worker of the Ray cluster has {', '.join(differences)}",
            hint=f"{_install_hint()}, and the versions that are named",
        )


def _install_hint() -> str:
    return f"install the same there as here, from where it was installed here: {DISTRIBUTION} {__version__} with its extra 'ray'"


def _last_line(error: BaseException) -> str:
    """Return the last line of an error's text: Ray puts a worker's own words at the end."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
