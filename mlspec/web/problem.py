"""Errors of a request, in the JSON form of Google's APIs (google.aip.dev/193)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# HTTP status: the name in google.rpc.Code. Every other status is INVALID_ARGUMENT.
STATUS = {
    401: "UNAUTHENTICATED", 404: "NOT_FOUND", 405: "UNIMPLEMENTED", 408: "DEADLINE_EXCEEDED", 500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip


# Headers of an answer after which the connection ends: the unread rest of a refused request would be parsed as the next one.
CLOSE = {"connection": "close"}


class ClientError(Exception):
    """The request is invalid. `code` is the HTTP status; `headers` are further headers of the answer."""

    def __init__(self, message: str, code: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.headers = message, code, dict(headers or {})


def error_body(code: int, message: str) -> dict[str, Any]:
    """Return the JSON body of an error."""
    return {"error": {"code": code, "message": message, "status": STATUS.get(code, "INVALID_ARGUMENT")}}


def unknown_forecast(name: str, names: Sequence[str]) -> ClientError:
    """Return the error for a forecast that is not served; `names` are those that are."""
    listed = f"one of {', '.join(names[:5])}{', …' if len(names) > 5 else ''}"
    expected = listed if names else "none: no forecast is applied yet"
    return ClientError(f"the forecast {name[:60]!r} is not served; expected {expected}", 404)
