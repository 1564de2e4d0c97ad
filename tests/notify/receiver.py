"""A webhook's receiver on this machine, that answers as it is told and remembers what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
