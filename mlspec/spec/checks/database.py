"""Checks the URL of a database: it names the database, and never holds a password."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from mlspec.spec.faults import ProblemAndHint

_SCHEME = "postgresql"
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS: the parameters whose value is a secret.
_SECRET = {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
_EXAMPLE = "such as postgresql://db.example.com/forecasts"


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
    return None
