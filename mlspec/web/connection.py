"""One connection of the server: uvicorn's, with a limit for each wait of the server for its client, and for how many wait.

uvicorn limits only the pause between two requests. A client that sends a byte a second, that does not read its answer, or that
opens connections and says nothing would keep them and their memory for ever, and a process may open so many files only.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, Literal

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mlspec.web.problem import error_body

HEADER_SECONDS = 10.0  # for a client to send a request's headers
REST_SECONDS = 10.0  # to send the rest of a body whose request is answered already
READ_SECONDS = 60.0  # to take an answer that the system's buffers cannot hold, or some of it
# Beyond it, the one that has kept the server waiting for longest is closed. A process may usually open 1,024 files.
MOST_CONNECTIONS = 512
# Pieces of a body: chunks, or what comes with one packet. 1.5 MB is 2,800 packets on the slowest usual network; a body of single
# bytes would take the event loop seconds, in which nobody else is answered.
MOST_PIECES = 5000

Awaited = Literal["headers", "body", "rest", "reading"]


class _CountedPieces(h11.Connection):
    """h11's parser of a connection, which takes a body in so many pieces only."""

    _pieces = 0

    def next_event(self) -> Any:
        """Return the next event. Raises RemoteProtocolError, also for a body in too many pieces."""
        event = super().next_event()
        if isinstance(event, h11.Data):
            self._pieces += 1
            if self._pieces > MOST_PIECES:
                raise h11.RemoteProtocolError("the body comes in too many pieces")
        elif isinstance(event, h11.Request):
            self._pieces = 0
        return event


class LimitedConnection(H11Protocol):
    """A connection that waits for no client for ever. It answers what is not HTTP in JSON."""

    _awaited: Awaited | None = None  # what the client has to do next; None while the server works
    _timer: asyncio.TimerHandle | None = None
    awaited_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection. If there are too many, close the one that has kept the server waiting for longest."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self.conn = _CountedPieces(h11.SERVER)
        self._note_progress()
        if len(self.connections) > MOST_CONNECTIONS:
            _close_longest_awaited(self.connections)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        super().data_received(data)
        self._note_progress()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._note_progress()

    def pause_writing(self) -> None:
        """Stop writing until the client has read."""
        super().pause_writing()
        self._note_progress()

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        self._note_progress()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._stop_timer()

    def close_now(self) -> None:
        """Close the connection, and drop what its client has not read."""
        self._stop_timer()
        self.connections.discard(self)
        self.transport.abort()

    @property
    def is_awaited(self) -> bool:
        """Whether the server waits for the client."""
        return self._awaited is not None

    def _note_progress(self) -> None:
        """Start the time limit of what is awaited now. Progress of a few bytes starts none anew."""
        awaited = self._find_awaited()
        if awaited == self._awaited:
            return
        self._awaited, self.awaited_since = awaited, self.loop.time()
        self._stop_timer()
        seconds = {"headers": HEADER_SECONDS, "rest": REST_SECONDS, "reading": READ_SECONDS}.get(awaited or "")
        if seconds is not None:
            self._timer = self.loop.call_later(seconds, self.close_now)

    def _find_awaited(self) -> Awaited | None:
        """Return what the client has to do. The application limits the time for a body itself, because it tells the client."""
        if self.flow.write_paused or self.transport.is_closing():
            return "reading"
        if self.conn.their_state is h11.IDLE:
            return "headers"
        if self.conn.their_state is h11.SEND_BODY:
            return "rest" if self.cycle.response_complete else "body"
        return None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer as uvicorn does, but in the JSON form of this server's errors."""
        body = json.dumps(error_body(400, msg)).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        with suppress(h11.LocalProtocolError):  # an answer was started already, so no error can be sent
            parts: list[Any] = [h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()]
            for part in parts:
                self.transport.write(self.conn.send(part) or b"")
        self.transport.close()


def _close_longest_awaited(connections: set[Any]) -> None:
    awaited = [item for item in connections if isinstance(item, LimitedConnection) and item.is_awaited]
    if awaited:
        min(awaited, key=lambda item: item.awaited_since).close_now()
