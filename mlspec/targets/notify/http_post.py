"""One POST to an address, whose host must be at an allowed IP address. No redirect is followed, and no answer's body is read.

Importing this module raises ModuleNotFoundError without urllib3. The host's name is resolved once, and the connection goes to the
address that was checked: a name that resolves to another address a moment later changes nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from mlspec.targets.notify import deadline
from mlspec.targets.notify.base import DeliveryError
from mlspec.targets.notify.checked_socket import open_checked_socket
from mlspec.targets.notify.deadline import CutOff

SocketOpener = Callable[[str, int], socket.socket]


class _CheckedHttpConnection(HTTPConnection):
    """A connection whose socket `open_socket` opens."""

    def __init__(self, *words: Any, open_socket: SocketOpener, **options: Any) -> None:
        super().__init__(*words, **options)
        self._open_socket = open_socket

    def _new_conn(self) -> socket.socket:
        return self._open_socket(self._dns_host, self.port)


class _CheckedHttpsConnection(HTTPSConnection):
    """A connection with TLS over a socket that `open_socket` opens."""

    def __init__(self, *words: Any, open_socket: SocketOpener, **options: Any) -> None:
        super().__init__(*words, **options)
        self._open_socket = open_socket

    def _new_conn(self) -> socket.socket:
        return self._open_socket(self._dns_host, self.port)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _CheckedHttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedHttpsConnection


def post_message(
    url: str, body: bytes, headers: Mapping[str, str], cut_off: CutOff, allowed: Sequence[str]
) -> tuple[int, str | None]:
    """Post `body`, and return the status and the header Retry-After. Raises DeliveryError without an answer.

    `allowed` are networks where the host may be although they are not public.
    """
    try:
        parts = parse_url(url)
        kind = _HttpsPool if parts.scheme == "https" else _HttpPool
        with kind(
            parts.host or "", parts.port, timeout=deadline.DEADLINE, retries=False,
            open_socket=lambda host, port: open_checked_socket(host, port, cut_off, allowed),
        ) as pool:  # fmt: skip
            answer = pool.urlopen(
                "POST", parts.request_uri, body=body, headers=headers, redirect=False, preload_content=False
            )
            answer.close()
    except HTTPError as error:
        # The library's message contains the address, which is the secret.
        raise DeliveryError(f"no answer: {type(error).__name__}") from error
    return answer.status, answer.headers.get("retry-after")
