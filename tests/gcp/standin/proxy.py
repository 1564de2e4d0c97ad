"""The one way out: a proxy that knows *.googleapis.com and nothing else, ends TLS, and picks a server by ALPN.

client --CONNECT host:443--> here --(ALPN h2)--> gRPC; --(anything else)--> HTTP. Behind it all is plain text on loopback.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

LOOPBACK = "127.0.0.1"
_GOOGLE = re.compile(r"CONNECT ([a-z0-9-]+\.)*googleapis\.com:443 HTTP", re.IGNORECASE)
# The metadata server of Google's machines is asked by clients to find out where they run. Nobody answers here, as on a laptop.
_METADATA = re.compile(r"[A-Z]+ http://(metadata\.google\.internal\.?|169\.254\.169\.254)[:/]")
_REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """Runs in a thread of its own. `stranger` is told each host that was refused."""

    def __init__(self, certificate: Path, grpc: int, http: int, stranger: Callable[[str], None]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        # Who takes either, as Go does, speaks JSON over HTTP; gRPC takes h2 alone.
        self._context.set_alpn_protocols(["http/1.1", "h2"])
        self._grpc, self._http, self._stranger = grpc, http, stranger
        self._open: dict[int, tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = {}
        self._loop = asyncio.new_event_loop()

    def start(self) -> int:
        """Return the port on which it listens now."""
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, LOOPBACK, 0), self._loop).result()
        return int(server.sockets[0].getsockname()[1])

    def cut(self, port: int) -> None:
        """Cut the connection that reaches a server from this port, and return when it is cut."""

        async def abort() -> None:
            for writer in self._open.pop(port, ()):
                writer.transport.abort()

        asyncio.run_coroutine_threadsafe(abort(), self._loop).result()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            if not _GOOGLE.match(head):
                if not _METADATA.match(head):
                    self._stranger(" ".join(head.split(" ")[:2]))
                writer.write(_REFUSED)
                await writer.drain()
                return
            writer.write(_OPEN)
            await writer.drain()
            await writer.start_tls(self._context)
            await self._join(reader, writer)
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            pass  # whoever came has gone
        finally:
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secured = writer.get_extra_info("ssl_object")
        port = self._grpc if secured.selected_alpn_protocol() == "h2" else self._http
        inner, outer = await asyncio.open_connection(LOOPBACK, port)
        local = outer.get_extra_info("sockname")[1]
        self._open[local] = (writer, outer)
        try:
            await asyncio.gather(_pump(reader, outer), _pump(inner, writer))
        finally:
            self._open.pop(local, None)
            outer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except (OSError, ssl.SSLError):
        pass
    finally:
        writer.close()
