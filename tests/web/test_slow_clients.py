"""Clients that are slow, silent or many keep nobody else from an answer: real sockets, with limits that a test can wait for."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from mlspec.web.connection import MOST_PIECES
from tests.waiting import until
from tests.web.shop import SHOPS, Server, Shop, serving

pytestmark = pytest.mark.xdist_group("serve")  # its shop is that of test_serve.py
MOST = 16
PREDICT = b"POST /v1/models/demand:predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def narrow(one_shop: Shop) -> Iterator[Server]:
    """A server that keeps few connections, and waits long for headers and bodies, so that nothing else frees them."""
    limits = (
        f"from mlspec.web import connection\nconnection.MOST_CONNECTIONS = {MOST}\nconnection.HEADER_SECONDS = 600.0\n"
    )
    with serving(
        one_shop.root,
        "demand",
        before=f"{limits}\nfrom mlspec.web import request_body\nrequest_body.BODY_SECONDS = 600.0",
    ) as server:
        yield server


@pytest.fixture(scope="module")
def hurried(one_shop: Shop) -> Iterator[Server]:
    """A server that waits a moment for clients that do not finish or do not read."""
    limits = "from mlspec.web import connection\nconnection.REST_SECONDS = 0.3\nconnection.READ_SECONDS = 0.3"
    with serving(one_shop.root, "demand", before=limits) as server:
        yield server


@dataclass
class Stream:
    """A client that sends one request after the other, and reads nothing."""

    client: socket.socket
    request: bytes
    sent: int = 0

    def is_cut_off(self) -> bool:
        """Send as much as goes; return whether the server has closed the connection."""
        try:
            while True:
                self.sent += self.client.send(self.request[self.sent % len(self.request) :])
        except BlockingIOError:
            return False
        except ConnectionError:
            return True


def is_closed(client: socket.socket) -> bool:
    """Whether the server has closed a connection; sends a byte to see it."""
    client.setblocking(False)
    try:
        client.send(b"x")
    except BlockingIOError:  # nothing is read at the other end, but it is open
        return False
    except ConnectionError:
        return True
    return False


BEGINNINGS = {
    "silent": b"",
    "headers": b"POST /predict HTTP/1.1\r\nHost: loc",
    "body": PREDICT + b"Content-Length: 500\r\n\r\n{",
    "chunks": PREDICT + b"Transfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
def test_clients_that_keep_the_server_waiting_make_room_for_others(narrow: Server, beginning: bytes) -> None:
    with ExitStack() as stack:
        clients = []
        for _ in range(3 * MOST):
            clients.append(stack.enter_context(socket.create_connection(("127.0.0.1", narrow.port), timeout=30)))
            clients[-1].sendall(beginning)
        assert narrow.predict({"shop": "001"})[0] == 200
        until(lambda: sum(map(is_closed, clients)) >= 2 * MOST)
        assert not all(map(is_closed, clients[-2:]))
    assert "Traceback" not in narrow.log


def test_a_body_whose_request_is_answered_is_not_waited_for_for_ever(hurried: Server) -> None:
    with socket.create_connection(("127.0.0.1", hurried.port), timeout=30) as client:
        client.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 404")
        until(lambda: is_closed(client))


def test_an_answer_that_nobody_reads_is_dropped(hurried: Server) -> None:
    instances = [{"shop": shop} for shop in SHOPS] * 80
    body = json.dumps({"instances": instances}).encode()
    request = PREDICT + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", hurried.port))
        client.setblocking(False)
        stream = Stream(client, request)
        until(stream.is_cut_off)
    assert hurried.predict({"shop": "001"})[0] == 200


def test_a_body_in_single_bytes_is_refused_before_it_takes_the_server_seconds(hurried: Server) -> None:
    with socket.create_connection(("127.0.0.1", hurried.port), timeout=30) as client:
        client.sendall(PREDICT + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * (MOST_PIECES + 1))
        got = b"".join(iter(lambda: client.recv(65536), b""))
    assert got.startswith(b"HTTP/1.1 400")


def test_a_body_in_chunks_of_a_usual_size_is_answered(hurried: Server) -> None:
    body = json.dumps({"instances": [{"shop": "001"}]}).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:]))
    with socket.create_connection(("127.0.0.1", hurried.port), timeout=30) as client:
        client.sendall(PREDICT + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
