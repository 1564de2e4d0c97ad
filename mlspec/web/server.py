"""Runs the application: one socket, a thread that keeps the shelf, one that hands counts on, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from mlspec.errors import MlspecError, UsageError
from mlspec.targets.base import Target
from mlspec.web.counts import RequestCounter
from mlspec.web.prediction_cache import PredictionCache
from mlspec.web.problem import error_body

logger = logging.getLogger(__name__)
TICK = 1.0  # seconds between two looks at the state, and at the clock for a minute that is over
HEADER_SECONDS = 10.0  # for a client to say what it wants
GRACE = 10  # seconds for requests under way when the server ends; Cloud Run and Kubernetes grant no less


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises UsageError, with what to do, where the address cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot listen on {host} port {port}: {why}",
            hint="name another with --port or --host; --port 0 finds a free one",
        ) from error
    # Every connection inherits it. asyncio sets it only where a socket names its protocol, which this one does not: head and body
    # of an answer would wait for each other's acknowledgement, 40 ms a request.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def run_server(
    app: ASGIApp,
    listening: socket.socket,
    cache: PredictionCache,
    counts: RequestCounter,
    target: Target,
    say: Callable[[str], None],
) -> None:
    """Serve until a signal comes; then take no more, finish what is under way, and hand over what was counted.

    The signal is raised again when that is done. Raises StateError where the last counts could not be recorded.
    """
    config = uvicorn.Config(
        app, http=_HttpProtocol, ws="none", lifespan="off", loop="asyncio", log_config=None, log_level="critical", access_log=False,
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=GRACE,
    )  # fmt: skip
    ended = threading.Event()
    keeper = _start_ticking(ended, cache.refresh, say)
    flusher = _start_ticking(ended, lambda: counts.flush_minutes(target), say)
    try:
        uvicorn.Server(config).run([listening])
    finally:
        ended.set()
        flusher.join()
        keeper.join(TICK)  # it may be computing: what it makes is no longer needed
        counts.flush_minutes(target, all_=True)


def _start_ticking(ended: threading.Event, work: Callable[[], None], say: Callable[[str], None]) -> threading.Thread:
    """Do something at once and then every tick, in a thread; what fails is said, once as long as it stays the same."""

    def run_ticks() -> None:
        last_message = ""
        while not ended.is_set():
            try:
                work()
                last_message = ""
            except Exception as error:  # a thread that died would leave the server deaf: it says so and goes on
                logger.debug("a look of the server failed", exc_info=error)
                words = error.message if isinstance(error, MlspecError) else f"{type(error).__name__}: {error}"
                if words != last_message:
                    say(words)
                last_message = words
            ended.wait(TICK)

    thread = threading.Thread(target=run_ticks, daemon=True)
    thread.start()
    return thread


class _HttpProtocol(H11Protocol):
    """uvicorn's own, for clients that are slow to say what they want, and with errors in JSON."""

    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._watch_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch_headers()
        super().connection_lost(exc)

    def _watch_headers(self) -> None:
        """Count the time while a request's headers are on their way, and no longer."""
        if self.conn.their_state is not h11.IDLE:
            self._unwatch_headers()
        elif self._header_timer is None:
            self._header_timer = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _unwatch_headers(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def send_400_response(self, msg: str) -> None:
        """As uvicorn's, in the form that all errors have here."""
        body = json.dumps(error_body(400, msg)).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        with suppress(h11.LocalProtocolError):  # an answer is on its way already: there is nobody to tell
            parts: list[Any] = [h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()]
            for part in parts:
                self.transport.write(self.conn.send(part) or b"")
        self.transport.close()
