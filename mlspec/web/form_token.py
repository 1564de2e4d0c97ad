"""Tokens by which a form shows that it was made by this server for this very action, and not by a page of another site.

A browser sends the server's password with every request, also with one that a page of another site makes it send (CSRF). Such a
page cannot read ours, so it knows no token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

_LIFE = timedelta(hours=1)


class FormTokens:
    """Makes and checks tokens. They end with the process, and after an hour."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def make(self, action: str, now: datetime) -> str:
        """Return a token for an action."""
        issued = str(int(now.timestamp()))
        return f"{issued}.{self._sign(action, issued)}"

    def is_valid(self, token: str, action: str, now: datetime) -> bool:
        """Return whether a token was made for this action, less than an hour ago."""
        issued, _, signature = token.partition(".")
        if not (issued.isascii() and issued.isdecimal() and len(issued) < 12):
            return False
        age = now.timestamp() - int(issued)
        is_own = hmac.compare_digest(signature.encode(), self._sign(action, issued).encode())
        return is_own and 0 <= age <= _LIFE.total_seconds()

    def _sign(self, action: str, issued: str) -> str:
        return hmac.new(self._key, f"{issued}\n{action}".encode(), hashlib.sha256).hexdigest()
