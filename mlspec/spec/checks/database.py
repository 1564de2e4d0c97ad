"""Checks the URL of a database: it names the database, never holds a password, and asks for TLS off this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import parse_qsl, unquote, urlsplit

from mlspec.spec.faults import ProblemAndHint

_SCHEME = "postgresql"
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS: the parameters whose value is a secret.
_SECRET = {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
_EXAMPLE = "such as postgresql://db.example.com/forecasts?sslmode=verify-full"
# https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS: the modes that never send data in the clear.
# The default, `prefer`, does if somebody between the two machines asks for it.
ENCRYPTING = ("require", "verify-ca", "verify-full")


def database_problem(url: str) -> ProblemAndHint | None:
    """Return what is wrong with the URL of a database and what to do about it, or None."""
    try:
        parts = urlsplit(url)
        words = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        return "this is not a URL", _EXAMPLE
    if parts.password is not None or _SECRET & words.keys():
        return (
            "a password must not be written in a file",
            "leave it out of the URL: set PGPASSWORD, or write it to ~/.pgpass or a service file (chmod 600)",
        )
    if parts.scheme != _SCHEME or not url.startswith(f"{_SCHEME}://"):
        return f"expected a URL that begins with {_SCHEME}://", _EXAMPLE
    if not url.isprintable() or " " in url:
        return "spaces and invisible characters are not allowed", "write %20 for a space"
    if not parts.path.strip("/") and not {"dbname", "service"} & words.keys():
        return "the URL names no database", _EXAMPLE
    return _encryption_problem(parts.netloc, words)


def is_this_machine(host: str) -> bool:
    """Return whether a host of libpq is this machine: a socket's folder, localhost, or a loopback address."""
    if not host or host[0] in "/@" or host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _encryption_problem(netloc: str, words: dict[str, str]) -> ProblemAndHint | None:
    if _has_far_host(netloc, words) and words.get("sslmode") not in ENCRYPTING:
        return (
            "the database is not on this machine, and the URL does not ask for TLS",
            "add ?sslmode=verify-full, which also checks the server's certificate, or at least sslmode=require",
        )
    return None


def _has_far_host(netloc: str, words: dict[str, str]) -> bool:
    """Return whether the URL names a host that is not this machine. Without one, PGHOST or a service file may name it."""
    if {"host", "hostaddr"} & words.keys():
        named = [host for key in ("host", "hostaddr") for host in words.get(key, "").split(",")]
    else:
        named = [unquote(_without_port(place)) for place in netloc.rpartition("@")[2].split(",")]
    return not all(is_this_machine(host) for host in named)


def _without_port(place: str) -> str:
    return place if ":" not in place or place.endswith("]") else place.rpartition(":")[0]
