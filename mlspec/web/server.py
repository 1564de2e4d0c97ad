"""Runs the application: one socket, a thread that refreshes the cache, a thread that records request counts, a clean shutdown."""

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
TICK = 1.0  # seconds between two reads of the state, and between two checks for finished minutes
HEADER_SECONDS = 10.0  # seconds for a client to send its headers
GRACE = 10  # seconds to finish running requests at shutdown; Cloud Run and Kubernetes allow at least that


def open_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises UsageError with a hint if the address is not available."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=2048)
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
    target: Target,
    say: Callable[[str], None],
) -> None:
    """Serve until a signal comes. Then accept no new requests, finish the running ones, and record the last request counts.

    Afterwards the signal is raised again. Raises StateError if the last counts could not be recorded.
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
        keeper.join(TICK)  # it may still compute predictions, which are no longer needed
        counts.flush_minutes(target, all_=True)


def _start_ticking(ended: threading.Event, work: Callable[[], None], say: Callable[[str], None]) -> threading.Thread:
    """Run `work` now and then every tick in a thread. Report a failure once until it changes."""

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
            ended.wait(TICK)

    thread = threading.Thread(target=run_ticks, daemon=True)
    thread.start()
    return thread


class _HttpProtocol(H11Protocol):
    """uvicorn's protocol with a time limit for a request's headers, and with errors in JSON."""

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
        """Start the time limit when a request's headers are expected, and stop it when they have arrived."""
        if self.conn.their_state is not h11.IDLE:
            self._unwatch_headers()
        elif self._header_timer is None:
            self._header_timer = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _unwatch_headers(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer as uvicorn does, but in the JSON form of this server's errors."""
        body = json.dumps(error_body(400, msg)).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        with suppress(h11.LocalProtocolError):  # an answer was started already, so no error can be sent
            parts: list[Any] = [h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()]
            for part in parts:
                self.transport.write(self.conn.send(part) or b"")
        self.transport.close()
