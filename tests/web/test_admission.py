"""Whom a running server lets in: by host, content, form and token, asked over sockets of this machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from tests.waiting import until
from tests.web.shop import Server, Shop, mlspec, serving

pytestmark = pytest.mark.xdist_group("serve")  # its server is that of test_serve.py
PREDICT = "/v1/models/demand:predict"
BODY = json.dumps({"instances": [{"shop": "001"}]}).encode()
TOKEN = "correct-horse-battery-staple"
VERTEX = {
    "AIP_PREDICT_ROUTE": "/v1/endpoints/1/deployedModels/2:predict",
    "AIP_HEALTH_ROUTE": "/health",
    "AIP_HTTP_PORT": "0",
}


def send(server: Server, request: bytes) -> tuple[int, bytes]:
    """Send bytes on a connection of their own, and return the status and all that comes until the server closes it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        got = b"".join(iter(lambda: client.recv(65536), b""))
    return int(got.split(b" ")[1]), got


@pytest.fixture(scope="module")
def guarded(one_shop: Shop) -> Iterator[Server]:
    """A server on all addresses that asks for a token, and looks often for another one, with everything logged."""
    write_secret(one_shop, TOKEN)
    options = ("--host", "0.0.0.0", "--token-secret", "back-door", "--allowed-host", "forecasts.example")
    often = "from mlspec.web import server\nserver.RENEWAL = 0.1"
    with serving(one_shop.root, "demand", *options, before=often, MLSPEC_LOG_LEVEL="debug") as server:
        yield server


def write_secret(shop: Shop, value: str) -> None:
    """Put another value into the secret of the guarded server, at once, as a mounted secret changes."""
    file = shop.root / ".mlspec/secrets/back-door"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    new = file.with_name("new")
    new.touch(mode=0o600)
    new.write_text(value)
    new.rename(file)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", PREDICT, "/"])
def test_a_page_of_another_site_is_refused_under_the_name_of_its_own_host(one: Server, path: str) -> None:
    for host in ("evil.example", f"127.0.0.1.nip.io:{one.port}"):
        status, headers, body = one.ask("GET", path, Host=host, X_Forwarded_Host="localhost")
        assert (status, json.loads(body)["error"]["code"]) == (421, 421)
        assert "location" not in headers


def test_no_answer_sends_a_client_elsewhere(one: Server) -> None:
    for path in ("/healthz/", "/predict/", "//evil.example/healthz", "/v1/models/"):
        status, headers, _ = one.ask("GET", path)
        assert (status, "location" in headers) == (404, False)


def test_this_machine_is_known_by_its_usual_names(one: Server) -> None:
    for host in ("localhost", f"LOCALHOST:{one.port}", "127.0.0.1:1", "[::1]"):
        assert one.ask("GET", "/healthz", Host=host)[0] == 200


@pytest.mark.parametrize(
    "line", ["GET http://localhost/healthz", "GET http://evil.example/healthz", "OPTIONS *", "CONNECT localhost:80"]
)
def test_the_server_is_no_proxy(one: Server, line: str) -> None:
    assert send(one, f"{line} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())[0] == 400


def test_an_http_1_0_request_has_to_name_its_host_too(one: Server) -> None:
    assert send(one, b"GET /healthz HTTP/1.0\r\n\r\n")[0] == 400
    assert send(one, b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")[0] == 200
    assert send(one, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n")[0] == 400


def test_what_follows_a_request_of_unclear_length_is_not_read_as_another(one: Server) -> None:
    """A proxy before the server may take the one length or the other, and with it another end of the request."""
    rest = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    both = (
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    status, got = send(one, both + rest)
    assert (status, got.count(b"HTTP/1.1 ")) == (400, 1)
    body = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab"
    status, got = send(one, body + rest)
    assert (status, got.count(b"HTTP/1.1 ")) == (400, 1)


@pytest.mark.parametrize(
    "kinds",
    [
        [],
        ["text/plain"],
        ["application/x-www-form-urlencoded"],
        ["multipart/form-data; boundary=x"],
        ["text/plain; application/json"],
        ["application/jsonp"],
        ["application/json; charset=utf-16"],
        ["application/json", "text/plain"],
    ],
)
def test_a_body_that_does_not_say_it_is_json_is_refused(one: Server, kinds: list[str]) -> None:
    lines = "".join(f"Content-Type: {kind}\r\n" for kind in kinds)
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {len(BODY)}\r\n\r\n"
    assert send(one, head.encode() + BODY)[0] == 415


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_may_name_its_only_encoding(one: Server, kind: str) -> None:
    assert one.ask("POST", PREDICT, BODY, content_type=kind)[0] == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"instances": [{"shop": "001"}], "instances": [{"shop": "002"}]}', "the key 'instances' occurs twice"),
        (b'{"instances": [{"shop": "001", "shop": "002"}]}', "the key 'shop' occurs twice"),
        (b'{"instances": [{"shop": 1e400}]}', "the number 1e400 is too large"),
        (b'{"instances": [{"shop": "001", "horizon": -1e999}]}', "the number -1e999 is too large"),
        (b'{"instances": [{"shop": Infinity}]}', "Infinity is not a JSON number"),
        (b'{"instances": [{"shop": ' + b"9" * 5000 + b"}]}", "is not JSON"),
        (b"\xef\xbb\xbf" + BODY, "BOM"),
        (BODY.decode().encode("utf-16"), "it is not UTF-8"),
        (BODY.decode().encode("utf-32-le"), "is not JSON"),
        (b'{"instances": [{"shop": "\xff"}]}', "it is not UTF-8"),
        (b'{"instances": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested too deeply"),
        (BODY + BODY, "is not JSON"),
    ],
)
def test_json_that_parsers_read_in_different_ways_is_refused(one: Server, body: bytes, said: str) -> None:
    status, _, found = one.ask("POST", PREDICT, body, content_type="application/json")
    assert (status, said in json.loads(found)["error"]["message"]) == (400, True), found


def test_a_browser_gets_no_leave_for_other_sites_and_takes_no_answer_for_a_page(one: Server) -> None:
    asked = {"Origin": "https://evil.example", "Access_Control_Request_Method": "POST"}
    status, preflight, _ = one.ask("OPTIONS", PREDICT, **asked)
    assert status == 405
    _, answer, _ = one.ask("POST", PREDICT, BODY, content_type="application/json", Origin="https://evil.example")
    for headers in (
        preflight,
        answer,
        one.ask("GET", "/metrics")[1],
        one.ask("GET", "/nowhere", Host="evil.example")[1],
    ):
        assert not any(name.startswith("access-control-") for name in headers)
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_a_token_is_asked_for_everywhere_but_by_probes(guarded: Server) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    for method, path, body in (
        ("POST", PREDICT, BODY),
        ("POST", "/predict", BODY),
        ("GET", "/metrics", None),
        ("GET", "/nowhere", None),
    ):
        status, headers, _ = guarded.ask(method, path, body, content_type="application/json")
        assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="mlspec"')
        status, headers, _ = guarded.ask(
            method, path, body, content_type="application/json", Authorization=f"Bearer {TOKEN[:-1]}"
        )
        assert (status, "invalid_token" in headers["www-authenticate"]) == (401, True)
    assert guarded.ask("POST", PREDICT, BODY, content_type="application/json", **bearer)[0] == 200
    assert guarded.ask("GET", "/metrics", **bearer)[0] == 200
    assert guarded.ask("GET", "/healthz")[0] == 200


def test_a_probe_without_the_token_learns_no_names(guarded: Server) -> None:
    status, _, body = guarded.ask("GET", "/readyz")
    assert (status, json.loads(body)) == (200, {"ready": True})
    status, _, body = guarded.ask("GET", "/readyz", Authorization=f"Bearer {TOKEN}")
    assert (status, json.loads(body)["forecasts"]) == (200, {"demand": "ready"})


def test_an_allowed_host_is_a_name_of_the_server(guarded: Server) -> None:
    assert guarded.ask("GET", "/healthz", Host="forecasts.example:443")[0] == 200
    assert guarded.ask("GET", "/healthz", Host="other.example")[0] == 421


def test_the_token_is_said_by_name_and_written_nowhere(guarded: Server) -> None:
    guarded.ask(
        "POST", PREDICT, BODY, content_type="application/json", Authorization="Bearer another-secret-of-someone"
    )
    guarded.ask("POST", PREDICT, BODY, content_type="application/json", Authorization=f"Bearer {TOKEN}")
    assert "the token of the secret 'back-door'" in guarded.log
    assert TOKEN not in guarded.log
    assert "another-secret-of-someone" not in guarded.log


def test_a_rotated_secret_is_taken_without_a_restart_and_the_one_before_is_refused(
    guarded: Server, one_shop: Shop
) -> None:
    def status(token: str) -> int:
        return guarded.ask("GET", "/metrics", Authorization=f"Bearer {token}")[0]

    rotated = f"{TOKEN}-rotated"
    try:
        write_secret(one_shop, rotated)
        until(lambda: status(rotated) == 200)
        assert status(TOKEN) == 401
        write_secret(one_shop, "short")
        until(lambda: "cannot be a token: it has 5 characters" in guarded.log)
        assert (status(rotated), status("short")) == (200, 401)
        assert rotated not in guarded.log
    finally:
        write_secret(one_shop, TOKEN)
        until(lambda: status(TOKEN) == 200)


def test_beyond_this_machine_the_server_needs_a_token_or_says_that_it_is_open(one_shop: Shop) -> None:
    refused = mlspec(one_shop.root, "serve", "--port", "0", "--host", "0.0.0.0", AIP_HTTP_PORT="8080")
    assert (refused.returncode, "other machines can reach the server" in refused.stderr) == (1, True)
    assert "--token-secret" in refused.stderr
    assert refused.stdout == ""
    with serving(one_shop.root, "demand", "--host", "0.0.0.0", "--insecure") as server:
        assert "INSECURE: whoever reaches 0.0.0.0" in server.log
        assert server.predict({"shop": "001"})[0] == 200


@pytest.mark.parametrize(
    ("options", "secret", "said", "code"),
    [
        (("--token-secret", "door"), "", "there is no secret 'door'", 1),
        (("--token-secret", "door"), "short", "cannot be a token: it has 5 characters", 1),
        (("--token-secret", "door"), "words with blanks between", "`Authorization: Bearer` does not allow", 1),
        (("--token-secret", "door", "--insecure"), TOKEN, "exclude each other", 2),
        (("--allowed-host", "https://forecasts.example"), "", "is not a host", 2),
        (("--allowed-host", "forecasts.example:443"), "", "is not a host", 2),
    ],
)
def test_a_server_that_would_be_open_by_mistake_does_not_start(
    one_shop: Shop, options: tuple[str, ...], secret: str, said: str, code: int
) -> None:
    done = mlspec(one_shop.root, "serve", "--port", "0", *options, MLSPEC_SECRET_DOOR=secret)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not secret or secret not in done.stderr
    assert done.stdout == ""


def test_on_vertex_ai_the_platform_authenticates_and_names_the_host(one_shop: Shop) -> None:
    token = {"MLSPEC_SECRET_DOOR": TOKEN}
    with serving(one_shop.root, "demand", "--token-secret", "door", ready=False, **VERTEX, **token) as server:
        inside = {"Host": "a-name-of-the-platform.internal", "content_type": "application/json"}
        until_healthy(server)
        assert server.ask("POST", VERTEX["AIP_PREDICT_ROUTE"], BODY, **inside)[0] == 200
        assert server.ask("POST", PREDICT, BODY, **inside)[0] == 401
        assert "Vertex AI authenticates the callers" in server.log


def until_healthy(server: Server) -> None:
    until(lambda: server.ask("GET", VERTEX["AIP_HEALTH_ROUTE"], Host="10.0.0.9:8080")[0] == 200)
