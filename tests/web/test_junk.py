"""Whatever is sent, the answer is JSON that says what is wrong; nothing breaks the server or makes it wait."""

from __future__ import annotations

import json
import socket
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.web.shop import Server

pytestmark = pytest.mark.xdist_group("serve")  # its server is that of test_serve.py

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["001", "shop"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["shop", "horizon", "x", ""]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
bodies = st.fixed_dictionaries(
    {}, optional={"instances": st.lists(values, max_size=3) | values, "parameters": values, "more": values}
)


@settings(max_examples=150)
@given(bodies.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_no_body_is_answered_by_a_5xx_or_a_traceback(one: Server, body: bytes) -> None:
    status, _, found = one.ask("POST", "/v1/models/demand:predict", body, content_type="application/json")
    assert status in (200, 400)
    assert ("error" in json.loads(found)) == (status == 400)
    assert "Traceback" not in one.log


@settings(max_examples=60)
@given(
    st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"]),
    st.text(string.ascii_letters + "/:%.{}?#", max_size=20),
    st.text(string.ascii_letters + "/;", max_size=20),
)
def test_no_path_or_method_is_answered_by_a_5xx(one: Server, method: str, path: str, kind: str) -> None:
    status, _, _ = one.ask(method, f"/{path}", b"{}", content_type=kind or "x")
    assert status < 500
    assert "Traceback" not in one.log


@settings(max_examples=40)
@given(st.binary(min_size=1, max_size=200))
def test_no_bytes_at_all_break_the_server(one: Server, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", one.port), timeout=30) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        got = b"".join(iter(lambda: client.recv(65536), b""))
    assert not got.startswith(b"HTTP/1.1 5")
    assert one.ask("GET", "/healthz")[0] == 200
    assert "Traceback" not in one.log


def test_a_client_that_is_slow_with_its_headers_is_let_go(hasty: Server) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=30) as client:
        client.sendall(b"POST /v1/models/demand:predict HTTP/1.1\r\nHost: localhost\r\n")
        assert client.recv(65536) == b""


def test_a_client_that_is_slow_with_its_body_is_told(hasty: Server) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=30) as client:
        head = b"POST /v1/models/demand:predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        client.sendall(head + b"Content-Length: 50\r\n\r\n{")
        got = b"".join(iter(lambda: client.recv(65536), b""))
    assert got.startswith(b"HTTP/1.1 408")
    assert b"was not sent within" in got
