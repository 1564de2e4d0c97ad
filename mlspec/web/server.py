"""Runs the application: one socket, threads that refresh the cache, record request counts and renew the token, a clean shutdown."""

from __future__ import annotations

import logging
import resource
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from mlspec.errors import MlspecError, Terminated, UsageError
from mlspec.stop_signals import stop_signal_name
from mlspec.targets.base import ServedRecord
from mlspec.web.connection import MOST_CONNECTIONS, LimitedConnection
from mlspec.web.counts import RequestCounter
from mlspec.web.prediction_cache import PredictionCache

logger = logging.getLogger(__name__)
TICK = 1.0  # seconds between two reads of the state, and between two checks for finished minutes
RENEWAL = 30.0  # seconds between two reads of the token's secret: a rotated one is taken within a minute
GRACE = 10  # seconds to finish running requests at shutdown; Cloud Run and Kubernetes allow at least that
BACKLOG = 128  # connections that wait to be accepted; so many are accepted at once, before one too many is closed
_OTHER_FILES = 128  # open files that the server needs beside its connections


def open_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises UsageError with a hint if the address is not available."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot listen on {host} port {port}: {why}",
            hint="choose another with --port or --host; --port 0 finds a free port",
        ) from error
    # Every connection inherits this option. asyncio sets it only on a socket with an explicit protocol, which this one lacks.
    # Without it the body of an answer waits for the acknowledgement of its head, which takes 40 ms per request.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def run_server(
    app: ASGIApp,
    listening: socket.socket,
    cache: PredictionCache,
    counts: RequestCounter,
    target: ServedRecord,
    say: Callable[[str], None],
    renew_token: Callable[[], None] | None = None,
) -> str:
    """Serve until a signal comes. Then accept no new requests, finish the running ones, and record the last request counts.

    Return the signal's name. `renew_token` is called every RENEWAL seconds. Raises StateError if the last counts could not be
    recorded, and a second signal's own exception if it came before the end: running requests may be dropped then.
    """
    config = uvicorn.Config(
        app, http=LimitedConnection, ws="none", lifespan="off", loop="asyncio", log_config=None, log_level="critical",
        access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=GRACE, backlog=BACKLOG,
    )  # fmt: skip
    _allow_open_files(MOST_CONNECTIONS + BACKLOG + _OTHER_FILES)
    ended = threading.Event()
    keeper = _start_ticking(ended, cache.refresh, say)
    flusher = _start_ticking(ended, lambda: counts.flush_minutes(target), say)
    if renew_token:
        _start_ticking(ended, renew_token, say, RENEWAL)
    try:
        return _serve_until_signal(uvicorn.Server(config), listening)
    finally:
        ended.set()
        flusher.join()
        keeper.join(TICK)  # it may still compute predictions, which are no longer needed
        counts.flush_minutes(target, all_=True)


def _serve_until_signal(server: uvicorn.Server, listening: socket.socket) -> str:
    """Serve, and return the name of the signal that ended it. Raises the signal's own exception if requests were dropped.

    uvicorn sends itself each signal again at its end. A process that ignores SIGINT gets no exception by it.
    """
    try:
        server.run([listening])
    except (KeyboardInterrupt, Terminated) as stopped:
        if server.force_exit:
            raise
        return stop_signal_name(stopped)
    return "SIGINT"


def _allow_open_files(count: int) -> None:
    """Raise this process's limit of open files to `count` where it is lower and may be raised: macOS begins at 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _start_ticking(
    ended: threading.Event, work: Callable[[], None], say: Callable[[str], None], seconds: float = TICK
) -> threading.Thread:
    """Run `work` now, and then again and again, in a thread. Report a failure once until it changes."""

    def run_ticks() -> None:
        last_message = ""
        while not ended.is_set():
            try:
                work()
                last_message = ""
            except Exception as error:  # the thread must not end, or the server would no longer follow the state
                logger.debug("a background task of the server failed", exc_info=error)
                words = error.message if isinstance(error, MlspecError) else f"{type(error).__name__}: {error}"
                if words != last_message:
                    say(words)
                last_message = words
            ended.wait(seconds)

    thread = threading.Thread(target=run_ticks, daemon=True)
    thread.start()
    return thread
