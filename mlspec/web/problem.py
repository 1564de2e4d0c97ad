"""What goes wrong with a request, in the form that Google's APIs give to errors (google.aip.dev/193)."""

from __future__ import annotations

from typing import Any

# HTTP code: its word (google.rpc.Code). What has none of its own is a request that cannot be accepted as it is.
_STATUS = {
    404: "NOT_FOUND", 405: "UNIMPLEMENTED", 408: "DEADLINE_EXCEEDED", 500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip


class ClientError(Exception):
    """The client has to send something else; `code` is HTTP's."""

    def __init__(self, message: str, code: int = 400) -> None:
        super().__init__(message)
        self.message, self.code = message, code


def error_body(code: int, message: str) -> dict[str, Any]:
    """Return the body of an error."""
    return {"error": {"code": code, "message": message, "status": _STATUS.get(code, "INVALID_ARGUMENT")}}
