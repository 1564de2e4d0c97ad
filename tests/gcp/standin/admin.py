"""What a test may ask of the stand-in: a POST of JSON to /QUESTION, in plain HTTP on loopback."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Ask = Callable[[dict[str, Any]], Any]


def serve(questions: dict[str, Ask]) -> int:
    """Answer these questions, and return the port. What a question does not understand is answered with 400."""

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1

        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
            try:
                self._say(200, questions[self.path[1:]](given))
            except (KeyError, TypeError, ValueError) as wrong:
                self._say(400, f"{type(wrong).__name__}: {wrong}")

        def _say(self, status: int, found: Any) -> None:
            body = json.dumps(found, default=dataclasses.asdict).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])
