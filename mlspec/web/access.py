"""Who may ask the server: the host that a request names, the form in which it comes, and its token.

A browser names the host of the page's address. So a request that names a host which is not this server's may come from a page of a
stranger, whose name was pointed at this address (DNS rebinding). Every request is checked, before anything of it is read.
Sources: RFC 9110 (7.2 Host, 11 authentication, 15.5.20 Misdirected Request), RFC 9112 (3.2 targets, 6.3 length), RFC 6750 (Bearer).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from mlspec.web.problem import CLOSE, ClientError

PROBES = frozenset({"/healthz", "/readyz"})  # they need no token
# The pages for people. A browser asks its user for the token there, as the password of HTTP's Basic scheme, whatever the name. A
# page of another site can make a browser send that too: pages change nothing, and the forms of actions have tokens of their own.
_PAGES = ("/alerts", "/forecasts/", "/assets/", "/docs", "/openapi.json")
_ACTION = re.compile(r"/forecasts/[^/]+/actions/[a-z]+")
SHORTEST_TOKEN = 16  # characters: 64 bits, if they are hexadecimal digits. A shorter one can be guessed over a network.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1: b64token
_HOST = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?"
)  # RFC 3986, 3.2.2 and 3.2.3, without escapes
_SHOWN = 60  # most characters of a value in a message
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask. The address that a connection came to is always a host of this server.

    `hosts` are further names and addresses, in the form of `host_name`. `token` is asked for, except on `open_paths`; None asks for
    none. `platform` says that a platform authenticates each caller before the server, and chooses the host that a request names.
    """

    hosts: frozenset[str] = frozenset()
    token: str | None = field(default=None, repr=False)
    open_paths: frozenset[str] = PROBES
    platform: bool = False


def check_request(access: Access, scope: Any) -> bool:
    """Return whether the caller may see everything: True unless a token is asked for and a path is open without it.

    `scope` is the request's ASGI scope. Raises ClientError if the request is not let in.
    """
    headers: Headers = scope["headers"]
    _refuse_target(scope["raw_path"])
    _refuse_unclear_length(scope["method"], headers)
    if not access.platform:
        _refuse_host(access, _find_values(headers, b"host"), scope.get("server"))
    is_page = is_page_request(scope["method"], scope["path"])
    return _is_identified(access, headers, is_page=is_page) or _allow_open_path(
        access, scope["path"], headers, is_page=is_page
    )


def is_page_request(method: str, path: str) -> bool:
    """Return whether a request is for one of the pages for people: it reads one, or it is the form of an action."""
    if method == "POST":
        return _ACTION.fullmatch(path) is not None
    return method in ("GET", "HEAD") and (path == "/" or path.startswith(_PAGES))


def _refuse_target(target: bytes) -> None:
    """Refuse a target that is no path: an address for a proxy, which this server is not, or `*`."""
    if not target.startswith(b"/"):
        raise ClientError("expected a path as the target, such as /healthz: this server is no proxy", 400, CLOSE)


def _refuse_unclear_length(method: str, headers: Headers) -> None:
    """Refuse what two programs may read as different requests: two lengths, or a body where none belongs."""
    lengths, codings = _find_values(headers, b"content-length"), _find_values(headers, b"transfer-encoding")
    if lengths and codings:
        raise ClientError("Content-Length and Transfer-Encoding exclude each other", 400, CLOSE)
    if method in ("GET", "HEAD") and (codings or any(length.strip(b"0") for length in lengths)):
        raise ClientError(f"{method} takes no body", 400, CLOSE)


def _refuse_host(access: Access, values: Sequence[bytes], server: tuple[str, int | None] | None) -> None:
    if len(values) != 1:
        raise ClientError("expected one Host header", 400)
    given = values[0].decode("latin-1")
    name = host_name(given)
    if name is None:
        raise ClientError(f"the Host header is {given[:_SHOWN]!r}: expected a name or an address, and a port", 400)
    if name not in access.hosts | local_names(server[0] if server else ""):
        message = f"this server is not called {name[:_SHOWN]!r}"
        raise ClientError(f"{message}: start it with --allowed-host {name[:_SHOWN]} if it is", 421)


def _is_identified(access: Access, headers: Headers, *, is_page: bool) -> bool:
    """Return whether the request has the token, or none is asked for. Compares in a time that depends on the length alone."""
    if access.token is None:
        return True
    given = _find_values(headers, b"authorization")
    scheme, _, word = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    if is_page and scheme.lower() == b"basic":
        word = _password(word)
    elif scheme.lower() != b"bearer":
        return False
    return hmac.compare_digest(word.strip(), access.token.encode())


def _password(credentials: bytes) -> bytes:
    """Return the password of the Basic scheme (RFC 7617); empty if the credentials are none."""
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _allow_open_path(access: Access, path: str, headers: Headers, *, is_page: bool) -> bool:
    """Return False for a path that is open without a token. Raises ClientError for any other."""
    if path in access.open_paths:
        return False
    # RFC 6750, 3: no code for a request that tried nothing.
    code = ', error="invalid_token"' if _find_values(headers, b"authorization") else ""
    message = "expected the server's token, as Authorization: Bearer TOKEN"
    # Browsers read one challenge of a header, and ask their user by this one alone.
    asked = 'Basic realm="mlspec", charset="UTF-8"' if is_page else f'Bearer realm="mlspec"{code}'
    raise ClientError(message, 401, {"www-authenticate": asked})


def _find_values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]


def host_name(text: str) -> str | None:
    """Return the name or address of a Host header, without its port, in the form in which two are compared; None if it is none."""
    match = _HOST.fullmatch(text)
    if match is None:
        return None
    name = match[1].strip("[]").lower()
    if address := _parse_address(name):
        return str(address)
    return None if match[1].startswith("[") else name.removesuffix(".") or None


def parse_host(text: str) -> str | None:
    """Return a name or an address without a port, in the form of `host_name`; else None. IPv6 needs no brackets here."""
    bracketed = f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text
    return None if ":" in bracketed and not bracketed.endswith("]") else host_name(bracketed)


@lru_cache(maxsize=64)
def local_names(address: str) -> frozenset[str]:
    """Return the names of an address of this machine: itself, and of a loopback address also localhost and the two usual ones."""
    parsed = _parse_address(address)
    usual = {"localhost", "127.0.0.1", "::1"} if is_loopback(address) else set[str]()
    return frozenset({str(parsed or address.lower()), *usual})


def is_loopback(address: str) -> bool:
    """Return whether an address that a socket is bound to can be reached from this machine alone."""
    parsed = _parse_address(address)
    return parsed is not None and parsed.is_loopback


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address, an IPv4 address in its IPv6 form as IPv4. A scope (`%eth0`) is left out: Host headers have none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def may_listen(access: Access, address: str) -> bool:
    """Return whether the server may listen on an address: beyond this machine only if the callers are authenticated."""
    return is_loopback(address) or access.token is not None or access.platform


def find_token_problem(token: str) -> str | None:
    """Return why a text cannot be the server's token, without the text; None if it can."""
    if len(token) < SHORTEST_TOKEN:
        return f"it has {len(token)} characters: expected {SHORTEST_TOKEN} or more"
    if not _TOKEN.fullmatch(token):
        return "it has characters that `Authorization: Bearer` does not allow: expected letters, digits and -._~+/"
    return None


def exposure_sentences(access: Access, address: str, *, secret: str | None) -> Iterable[str]:
    """Yield what is open to whom, for the server's operator. `address` is what it listens on; `secret` names the token's secret."""
    if access.platform:
        yield "Vertex AI authenticates the callers (AIP_HTTP_PORT, AIP_PREDICT_ROUTE and AIP_HEALTH_ROUTE are set)"
    if access.token is not None:
        yield f"it asks for the token of the secret '{secret}', except at {' and '.join(sorted(access.open_paths))}"
    elif not access.platform and not is_loopback(address):
        yield f"INSECURE: whoever reaches {address} can read every forecast and /metrics, without a token"
    if not access.platform and not is_loopback(address):
        yield "connections are not encrypted: put a proxy with TLS before it, or keep it in a private network"
