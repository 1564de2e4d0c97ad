"""Errors of a request, in the JSON form of Google's APIs (google.aip.dev/193)."""

from __future__ import annotations

from typing import Any

# HTTP status: the name in google.rpc.Code. Every other status is INVALID_ARGUMENT.
_STATUS = {
    404: "NOT_FOUND", 405: "UNIMPLEMENTED", 408: "DEADLINE_EXCEEDED", 500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip


class ClientError(Exception):
    """The request is invalid. `code` is the HTTP status."""

    def __init__(self, message: str, code: int = 400) -> None:
        super().__init__(message)
        self.message, self.code = message, code


def error_body(code: int, message: str) -> dict[str, Any]:
    """Return the JSON body of an error."""
    return {"error": {"code": code, "message": message, "status": _STATUS.get(code, "INVALID_ARGUMENT")}}
