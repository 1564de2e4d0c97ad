"""Workers on Ray: a local Ray that is started for one step, or an existing cluster (Ray Client, Vertex AI).

A worker receives a share of the panel, or of one part of it, and a function to run on it. It returns a forecast, or the trees of
a distributed training (from rank 0). mlspec and the libraries that affect a model must have the same versions on the workers; each
worker checks this.
"""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import Any, TypeVar

# ray reads these at its import: send no usage statistics, and allow a slow start of its first process.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "120")

import pandas as pd
import ray
from packaging.version import Version
from ray import exceptions

from mlspec import __version__
from mlspec.errors import MlspecError, TargetError
from mlspec.forecast.frame import Panel
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import MOST_ROWS, S, TrainingPeer, deal_series, join_pieces
from mlspec.installation import DISTRIBUTION
from mlspec.jobs.runtime import single_threaded
from mlspec.spec.forecast import Training

logger = logging.getLogger(__name__)
T = TypeVar("T")
# The environment of a Ray on this machine, which its processes inherit. By itself Ray listens on the machine's address in the
# network, older ones on every address, and they ask nobody for a token: whoever reaches a port runs code here.
# https://docs.ray.io/en/latest/ray-security/token-auth.html, and ray-project/ray#59852.
_LOOPBACK = (
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # 0: the node's address is the loopback's, and every server listens there alone
)
_AUTH = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
_TOKENS_SINCE = Version("2.52")
_users_own: dict[str, str | None] = {}  # the user's values of what was set for a Ray on this machine
# Seconds to wait for the workers: a cluster with autoscaling takes minutes to start a machine.
PATIENCE = 900.0
# The newest Python of Vertex AI's clusters, which its clients have to run too:
# cloud.google.com/vertex-ai/docs/open-source/ray-on-vertex-ai/set-up
VERTEX_PYTHON = (3, 11)
STARTS = 3  # attempts if Ray was too slow: it gives its processes 30 s to start, which no setting extends
# What Ray says of a node of this machine, and of the server that a cluster starts for each client, that were too slow.
_SLOW_NODE, _SLOW_CLIENT_SERVER = "timed out", "starting ray client server failed"
WORKERS = 4  # a constant, not the number of cores, because the trees depend on it
LIBRARIES = ("lightgbm", "mlforecast", "numpy", "pandas", "scikit-learn", "scipy", "statsforecast")


@contextmanager
def connect_cluster(training: Training) -> Iterator[RayCluster]:
    """Yield the workers of a cluster. Raises TargetError if it does not answer or has too few free workers."""
    where = f"at {training.address}" if training.address else "on this machine"
    count = training.workers or WORKERS
    _check_python(training.address)
    _connect_ray(training.address, count, where)
    try:
        yield RayCluster(count, where)
    finally:
        ray.shutdown()


def _check_python(address: str | None) -> None:
    """Raise TargetError for a cluster on Vertex AI, unless this process runs its Python, as Ray asks its clients to."""
    own = sys.version_info[:2]
    if (address or "").startswith("vertex_ray:") and own != VERTEX_PYTHON:
        raise TargetError(
            f"Ray on Vertex AI runs Python {'.'.join(map(str, VERTEX_PYTHON))}, and this process Python {'.'.join(map(str, own))}",
            hint="build the image of the steps on that Python (docs/cluster.md), or train without `training.address`",
        )


def _connect_ray(address: str | None, count: int, where: str) -> None:
    """Connect to Ray, then restore the signal handlers: Ray replaces the one of SIGTERM."""
    previous_handlers = {
        signal_number: signal.getsignal(signal_number) for signal_number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        _start(address, count)
    except Exception as error:
        raise TargetError(
            f"the Ray cluster {where} does not answer: {' '.join(str(error).split())}",
            hint="check that it runs, that this machine can reach it, and that Ray and Python have the same versions on both; "
            "for a cluster with token authentication (since Ray 2.52), set RAY_AUTH_MODE=token and set RAY_AUTH_TOKEN_PATH to the "
            "token's file",
        ) from error
    finally:
        for signal_number, handler in previous_handlers.items():
            signal.signal(signal_number, handler)


def _start(address: str | None, count: int) -> None:
    """Connect to a cluster, or start one on this machine. Raises Ray's errors, which can be plain Exceptions."""
    if address:
        _restore_environment()
    else:
        _keep_to_this_machine()
    # `local`: without an address, Ray would read one from the environment.
    options: dict[str, Any] = {} if address else {"num_cpus": count, "include_dashboard": False}
    slow_start = _SLOW_CLIENT_SERVER if address else _SLOW_NODE
    for start in range(1, STARTS + 1):
        try:
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
        except Exception as error:
            ray.shutdown()  # clean up a partial connection
            if start == STARTS or slow_start not in str(error).lower():
                raise
        else:
            return


def _keep_to_this_machine() -> None:
    """Let a Ray that is started now listen on the loopback address alone, and answer only who has this process's token."""
    from ray._private import ray_constants

    for name in (_LOOPBACK, *_AUTH):
        _users_own.setdefault(name, os.environ.pop(name, None))
    os.environ |= {_LOOPBACK: "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    ray_constants.ENABLE_RAY_CLUSTER = False  # Ray read the variable when it was imported
    _reload_settings()
    asks = (
        "asks for a token"
        if Version(ray.__version__) >= _TOKENS_SINCE
        else "asks for no token, as it is older than 2.52"
    )
    logger.info("Ray %s listens on 127.0.0.1 alone and %s", ray.__version__, asks)


def _restore_environment() -> None:
    """Give a cluster of the user's its own settings, if this process had a Ray of its own before."""
    for name, value in _users_own.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    if _users_own:
        _users_own.clear()
        _reload_settings()


def _reload_settings() -> None:
    """Let Ray's compiled part read its environment again, in the order of its own tests. A Ray without tokens reads nothing."""
    with suppress(ImportError, AttributeError):
        compiled: Any = importlib.import_module("ray._raylet")
        compiled.Config.initialize("")
        compiled.AuthenticationTokenLoader.instance().reset_cache()


class RayCluster:
    """The workers of a Ray cluster, the same ones for the whole connection. Implements `forecast.workers.Workers`."""

    reads_parts = False  # the files of this machine are not theirs

    def __init__(self, count: int, where: str, patience: float = PATIENCE) -> None:
        self.count = self.at_once = count
        self.training_memory: int | None = None
        self.most_rows, self._where = MOST_ROWS, where
        actor_class: Any = ray.remote(num_cpus=1)(_RayWorker)
        try:
            with self._translate_errors():
                self._actors: list[Any] = [actor_class.remote() for _ in range(count)]
        except ModuleNotFoundError as error:  # Ray Client's server unpickles the class before a worker does
            raise TargetError(
                f"the Ray cluster {where} cannot start a worker: {error}", hint=_install_hint()
            ) from error
        self._await_workers(patience)

    def forecast_shares(self, forecast: Callable[[S], pd.DataFrame], shares: Iterable[S]) -> list[pd.DataFrame]:
        """Run `forecast` on each share independently, and return the results in order. A worker is sent one share at a time."""
        free, sent, working = deque(self._actors), list[Any](), dict[Any, Any]()
        for share in shares:
            if not free:
                with self._translate_errors():
                    (done, *_), _ = ray.wait(list(working))
                self._collect_results([done])
                free.append(working.pop(done))
            actor = free.popleft()
            sent.append(actor.run_share.remote(forecast, self._put(share)))
            working[sent[-1]] = actor
        return self._collect_results(sent)

    def train(
        self, work: Callable[[PartedPanel, TrainingPeer], T], panel: PartedPanel, learned: pd.Index, *, alone: bool
    ) -> T:
        """Run `work` on shares of the series in `learned` at the same time, and return the result of the first.

        The shares are sent piece by piece of the panel's parts. A worker is sent the next piece once it holds the one before.
        """
        count = 1 if alone else min(self.count, len(learned))
        actors, taking = self._actors[:count], dict[int, Any]()
        addresses = tuple(self._collect_results([actor.begin_training.remote() for actor in actors]))
        for rank, piece in deal_series(panel, learned, count):
            if rank in taking:
                self._collect_results([taking[rank]])
            taking[rank] = actors[rank].take_piece.remote(self._put(piece))
        self._collect_results(list(taking.values()))
        results: list[T] = self._collect_results(
            [actor.train.remote(work, TrainingPeer(rank, addresses)) for rank, actor in enumerate(actors)]
        )
        return results[0]

    def _put(self, share: Any) -> Any:
        """Return a reference to a share in the cluster. Ray frees a share after its use."""
        with self._translate_errors():
            return ray.put(share)

    def _await_workers(self, patience: float) -> None:
        """Wait until all workers run with the same versions as this process."""
        pending = [actor.check_versions.remote(library_versions()) for actor in self._actors]
        ready, missing = ray.wait(pending, num_returns=len(pending), timeout=patience)
        self._collect_results(ready)
        if missing:
            raise TargetError(
                f"the Ray cluster {self._where} had only {len(ready)} of {len(pending)} workers free within {patience:.0f} s",
                hint="set a lower training.workers, or give the cluster more CPUs",
            )

    def _collect_results(self, references: list[Any]) -> list[Any]:
        """Return results in order. Raises as soon as one worker failed, as in a distributed training the others wait for it."""
        waiting = list(references)
        with self._translate_errors():
            while waiting:
                done, waiting = ray.wait(waiting)
                ray.get(done)
            return list(ray.get(references))

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise a worker's MlspecError unchanged, and turn any other error into a failure of the cluster."""
        try:
            yield
        except exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, MlspecError):
                raise cause from error
            # A worker's own records stay in Ray's files on its machine. The error holds the worker's traceback as text.
            logger.error("a worker of the Ray cluster %s failed", self._where, exc_info=error)  # noqa: TRY400
            raise self._cluster_error(cause or error) from error
        except (exceptions.RayError, ConnectionError) as error:
            raise self._cluster_error(error) from error

    def _cluster_error(self, error: BaseException) -> TargetError:
        return TargetError(
            f"a worker of the Ray cluster {self._where} failed: {_last_line(error)}",
            hint="see its log: ray logs; a killed worker mostly had too little memory: set a higher training.workers",
        )


class _RayWorker:
    """A worker: one process of the cluster."""

    def check_versions(self, expected: dict[str, str]) -> None:
        require_same_versions(expected, library_versions())

    def begin_training(self) -> str:
        """Forget pieces of a training that failed, reserve a free port until the training uses it, and return its address."""
        self.pieces: list[Panel] = []
        self.reserved_socket = socket.socket()
        self.reserved_socket.bind(("", 0))
        address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return f"{address}:{self.reserved_socket.getsockname()[1]}"

    def take_piece(self, piece: Panel) -> None:
        """Hold a piece of this worker's share for the training."""
        self.pieces.append(piece)

    def train(self, work: Callable[[PartedPanel, TrainingPeer], T], peer: TrainingPeer) -> T:
        """Run `work` on the share whose pieces it holds, in one thread, as a step does."""
        share, self.pieces = join_pieces(self.pieces), []
        self.reserved_socket.close()
        with single_threaded():
            return work(share, peer)

    def run_share(self, work: Callable[[S], T], share: S) -> T:
        """Run `work` on a share in one thread, as a step does."""
        with single_threaded():
            return work(share)


def library_versions() -> dict[str, str]:
    """Return the versions of mlspec and of the libraries that affect a model."""
    return {"mlspec": __version__} | {name: version(name) for name in LIBRARIES}


def require_same_versions(expected: dict[str, str], actual: dict[str, str]) -> None:
    """Raise TargetError if a worker has other versions: a model's lineage names the versions of its libraries."""
    differences = [
        f"{name} {actual[name]}, but here it is {expected[name]}" for name in expected if actual[name] != expected[name]
    ]
    if differences:
        raise TargetError(
            f"a worker of the Ray cluster has {', '.join(differences)}",
            hint=f"{_install_hint()}, and these libraries in the same versions",
        )


def _install_hint() -> str:
    return f"install the same package there from the same source as here: {DISTRIBUTION} {__version__} with its extra 'ray'"


def _last_line(error: BaseException) -> str:
    """Return the last line of an error's text, which holds the worker's own message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
