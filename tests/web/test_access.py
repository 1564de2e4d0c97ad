"""Who may ask the server, as a decision: hosts, tokens, forms of a request. No server is started."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlspec.web.access import (
    Access,
    check_request,
    exposure_sentences,
    find_token_problem,
    host_name,
    is_loopback,
    may_listen,
    parse_host,
)
from mlspec.web.problem import ClientError

TOKEN = "0123456789abcdef-._~+/=="
JSON = (b"content-type", b"application/json")


def scope(
    *headers: tuple[bytes, bytes],
    host: bytes = b"localhost",
    method: str = "POST",
    path: str = "/predict",
    at: str = "127.0.0.1",
) -> dict[str, Any]:
    """A request that reached the server at the address `at`."""
    return {
        "method": method, "path": path, "raw_path": path.encode(), "server": (at, 8080), "headers": [(b"host", host), *headers],
    }  # fmt: skip


def refused(access: Access, asked: dict[str, Any]) -> int:
    """The code of the refusal; 0 where a request is let in."""
    try:
        check_request(access, asked)
    except ClientError as error:
        return error.code
    return 0


@pytest.mark.parametrize(
    ("host", "at", "code"),
    [
        (b"localhost", "127.0.0.1", 0),
        (b"LOCALHOST:1", "127.0.0.1", 0),
        (b"127.0.0.1:8080", "127.0.0.1", 0),
        (b"[::1]:8080", "::1", 0),
        (b"[0:0:0:0:0:0:0:1]", "::1", 0),
        (b"10.1.2.3:8080", "10.1.2.3", 0),
        (b"10.1.2.3", "::ffff:10.1.2.3", 0),
        (b"[fe80::1]", "fe80::1%eth0", 0),
        (b"10.1.2.4", "10.1.2.3", 421),
        (b"localhost", "10.1.2.3", 421),
        (b"evil.example", "127.0.0.1", 421),
        (b"localhost.evil.example", "127.0.0.1", 421),
        (b"127.0.0.1.nip.io", "127.0.0.1", 421),
        (b"2130706433", "127.0.0.1", 421),
        (b"forecasts.example", "10.1.2.3", 0),
        (b"forecasts.example.:443", "10.1.2.3", 0),
        (b"other.forecasts.example", "10.1.2.3", 421),
        (b"localhost@evil.example", "127.0.0.1", 400),
        (b"localhost/evil.example", "127.0.0.1", 400),
        (b"localhost, evil.example", "127.0.0.1", 400),
        (b"", "127.0.0.1", 400),
        (b":8080", "127.0.0.1", 400),
        (b".", "127.0.0.1", 400),
        (b"\xff", "127.0.0.1", 400),
    ],
)
def test_a_host_is_the_address_that_was_reached_or_one_that_was_allowed(host: bytes, at: str, code: int) -> None:
    assert refused(Access(frozenset({"forecasts.example"})), scope(JSON, host=host, at=at)) == code


def test_what_a_proxy_says_about_the_host_counts_for_nothing() -> None:
    forwarded = [
        (b"x-forwarded-host", b"localhost"),
        (b"forwarded", b"host=localhost"),
        (b"x-forwarded-for", b"127.0.0.1"),
    ]
    assert refused(Access(), scope(*forwarded, host=b"evil.example")) == 421
    assert refused(Access(), scope((b"x-forwarded-host", b"evil.example"))) == 0


def test_a_host_that_is_missing_or_named_twice_is_refused() -> None:
    assert refused(Access(), scope() | {"headers": []}) == 400
    assert refused(Access(), scope((b"host", b"localhost"))) == 400


@pytest.mark.parametrize("target", [b"http://localhost/predict", b"https://evil.example/", b"localhost:80", b"*", b""])
def test_a_target_that_is_no_path_is_refused(target: bytes) -> None:
    assert refused(Access(), scope() | {"raw_path": target}) == 400


@pytest.mark.parametrize(
    ("method", "headers", "code"),
    [
        ("POST", [(b"content-length", b"2"), (b"transfer-encoding", b"chunked")], 400),
        ("POST", [(b"transfer-encoding", b"chunked")], 0),
        ("GET", [(b"content-length", b"2")], 400),
        ("HEAD", [(b"transfer-encoding", b"chunked")], 400),
        ("GET", [(b"content-length", b"00")], 0),
    ],
)
def test_a_length_that_two_programs_may_read_differently_is_refused(
    method: str, headers: list[tuple[bytes, bytes]], code: int
) -> None:
    assert refused(Access(), scope(*headers, method=method)) == code


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ([], 401),
        ([f"Bearer {TOKEN}"], 0),
        ([f"bearer  {TOKEN} "], 0),
        ([f"Basic {TOKEN}"], 401),
        ([TOKEN], 401),
        ([f"Bearer {TOKEN}x"], 401),
        ([f"Bearer {TOKEN[:-1]}"], 401),
        (["Bearer"], 401),
        (["Bearer "], 401),
        ([f"Bearer {TOKEN}", f"Bearer {TOKEN}"], 401),
    ],
)
def test_a_token_is_the_whole_token(authorization: list[str], code: int) -> None:
    access = Access(token=TOKEN)
    headers = [(b"authorization", word.encode()) for word in authorization]
    assert refused(access, scope(*headers)) == code
    assert refused(access, scope(*headers, method="GET", path="/metrics")) == code
    assert check_request(access, scope(*headers, method="GET", path="/healthz")) is (code == 0)


@given(st.binary(max_size=40))
def test_no_other_bytes_are_the_token(word: bytes) -> None:
    assume(word.strip() != TOKEN.encode())
    assert refused(Access(token=TOKEN), scope((b"authorization", b"Bearer " + word))) == 401


def test_a_refusal_says_how_to_authenticate_and_repeats_no_token() -> None:
    for headers, challenge in (
        ([], 'Bearer realm="mlspec"'),
        ([(b"authorization", b"Bearer s3cret")], 'error="invalid_token"'),
    ):
        with pytest.raises(ClientError) as caught:
            check_request(Access(token=TOKEN), scope(*headers))
        assert challenge in caught.value.headers["www-authenticate"]
        assert "s3cret" not in caught.value.message
    assert TOKEN not in repr(Access(token=TOKEN))


def test_on_a_platform_the_host_is_the_platform_s_and_its_paths_need_no_token() -> None:
    platform = Access(token=TOKEN, open_paths=frozenset({"/predict", "/health"}), platform=True)
    assert refused(platform, scope(host=b"anything.internal:1")) == 0
    assert refused(platform, scope(host=b"anything.internal:1", path="/metrics", method="GET")) == 401


@given(st.text(max_size=30))
def test_a_host_is_read_in_one_form(text: str) -> None:
    name = host_name(text)
    assert name is None or parse_host(name) == name == name.lower()


@pytest.mark.parametrize("text", ["", "a b", "a:80", "[::1]:80", "http://a", "a/b", "*", "ä.example"])
def test_what_is_allowed_is_a_host_without_a_port(text: str) -> None:
    assert parse_host(text) is None


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
    ],
)
def test_beyond_this_machine_somebody_has_to_authenticate(address: str, loopback: bool) -> None:
    assert is_loopback(address) is may_listen(Access(), address) is loopback
    assert may_listen(Access(token=TOKEN), address)
    assert may_listen(Access(platform=True), address)


@pytest.mark.parametrize(
    ("token", "good"),
    [(TOKEN, True), ("a" * 15, False), ("a" * 16, True), ("a b" * 10, False), ("ä" * 20, False), ("a=b" * 9, False)],
)
def test_a_token_is_long_and_can_be_sent(token: str, good: bool) -> None:
    problem = find_token_problem(token)
    assert (problem is None) is good
    assert problem is None or token not in problem


@pytest.mark.parametrize(
    ("access", "address", "said"),
    [
        (Access(), "127.0.0.1", []),
        (Access(), "0.0.0.0", ["INSECURE: whoever reaches 0.0.0.0", "not encrypted"]),
        (
            Access(token=TOKEN),
            "0.0.0.0",
            ["the token of the secret 'door', except at /healthz and /readyz", "not encrypted"],
        ),
        (Access(token=TOKEN), "127.0.0.1", ["the token of the secret 'door'"]),
        (Access(platform=True), "0.0.0.0", ["Vertex AI authenticates"]),
    ],
)
def test_what_is_open_is_said(access: Access, address: str, said: list[str]) -> None:
    sentences = list(exposure_sentences(access, address, secret="door"))
    assert len(sentences) == len(said)
    assert all(words in sentence for words, sentence in zip(said, sentences, strict=True))
    assert TOKEN not in " ".join(sentences)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/", 0), ("GET", "/forecasts/demand", 0), ("GET", "/alerts", 0), ("GET", "/assets/pages.js", 0),
        ("GET", "/docs", 0),
        ("GET", "/metrics", 401), ("POST", "/v1/models/demand:predict", 401), ("POST", "/forecasts/demand", 401),
        ("POST", "/", 401), ("POST", "/forecasts/demand/actions/silence", 0), ("GET", "/forecasts/demand/actions/silence", 0),
        ("POST", "/forecasts/demand/actions/silence/more", 401),
    ],
)  # fmt: skip
def test_a_browser_s_user_gives_the_token_as_a_password_for_pages_alone(method: str, path: str, code: int) -> None:
    access = Access(token=TOKEN)
    word = base64.b64encode(f"anybody:{TOKEN}".encode())
    assert refused(access, scope((b"authorization", b"Basic " + word), method=method, path=path)) == code
    wrong = base64.b64encode(f"anybody:{TOKEN}x".encode())
    for other in (b"Basic " + wrong, b"Basic " + TOKEN.encode(), b"Basic \xff", b"Basic"):
        assert refused(access, scope((b"authorization", other), method=method, path=path)) == 401


def test_only_a_page_asks_a_browser_for_a_password() -> None:
    for path, is_asked in (("/", True), ("/forecasts/x", True), ("/predict", False), ("/metrics", False)):
        with pytest.raises(ClientError) as caught:
            check_request(Access(token=TOKEN), scope(method="GET", path=path))
        assert caught.value.headers is not None
        assert ("Basic" in caught.value.headers["www-authenticate"]) is is_asked
