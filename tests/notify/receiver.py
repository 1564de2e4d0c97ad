"""A webhook's receiver on this machine, that answers as it is told and remembers what it was sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOPBACK = (
    "127.0.0.0/8",
)  # where the tests' receivers are: nothing is sent to such an address unless a project allows it


@dataclass
class Receiver:
    """`answers` are given in turn, the last one for ever: a status, headers, or None to hang up without a word."""

    port: int = 0
    answers: list[tuple[int, dict[str, str]] | None] = field(default_factory=lambda: [(204, {})])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hooks/cafe-secret-path"


@contextmanager
def receiving(*answers: tuple[int, dict[str, str]] | None) -> Iterator[Receiver]:
    """Run a receiver for the length of a block."""
    found = Receiver()
    found.answers = list(answers) or found.answers

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
            answer = found.answers[min(len(found.got), len(found.answers)) - 1]
            if answer is None:
                self.close_connection = True
                return
            status, headers = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with serving(Handler) as found.port:
        yield found


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Let a handler answer on this machine, and yield the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class RawReceiver:
    """A receiver that speaks no proper HTTP. `sent` counts its bytes, `hung_up` is set once the other side has gone."""

    port: int = 0
    sent: int = 0
    hung_up: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hooks/cafe-secret-path"

    def send(self, connection: socket.socket, data: bytes) -> None:
        """Send some bytes. Raises OSError once the other side has gone."""
        try:
            connection.sendall(data)
        except OSError:
            self.hung_up.set()
            raise
        self.sent += len(data)


@contextmanager
def answering(answer: Callable[[RawReceiver, socket.socket], None]) -> Iterator[RawReceiver]:
    """Run a receiver that takes one connection, and answers on it as `answer` does."""
    found = RawReceiver()

    def take_one() -> None:
        with suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                answer(found, connection)
                found.hung_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        found.port = listening.getsockname()[1]
        thread = threading.Thread(target=take_one, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            with suppress(OSError):  # not every system lets a listening socket be shut down
                listening.shutdown(socket.SHUT_RDWR)
            thread.join()
