"""What a call is refused with: one exception for gRPC and for JSON over HTTP."""

from __future__ import annotations

# google/rpc/code.proto: each code's number and the HTTP status that it becomes.
CODES = {
    "CANCELLED": (1, 499), "UNKNOWN": (2, 500), "INVALID_ARGUMENT": (3, 400), "DEADLINE_EXCEEDED": (4, 504),
    "NOT_FOUND": (5, 404), "ALREADY_EXISTS": (6, 409), "PERMISSION_DENIED": (7, 403), "RESOURCE_EXHAUSTED": (8, 429),
    "FAILED_PRECONDITION": (9, 400), "ABORTED": (10, 409), "OUT_OF_RANGE": (11, 400), "UNIMPLEMENTED": (12, 501),
    "INTERNAL": (13, 500), "UNAVAILABLE": (14, 503), "DATA_LOSS": (15, 500), "UNAUTHENTICATED": (16, 401),
}  # fmt: skip
# What a status is called in gRPC where a fault names a status: the first code in the table has the name.
_OF_STATUS = {status: code for code, (_, status) in reversed(CODES.items())} | {412: "FAILED_PRECONDITION"}


class Refused(Exception):
    """A call's answer that is an error. `reason` is the word that Google's JSON errors carry."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        retry_after: int | None = None,
        service: str = "",
    ) -> None:
        super().__init__(message)
        self.service = service
        """The API that is off, where that is why."""
        self.code, self.message, self.retry_after = code, message, retry_after
        self.number, known = CODES[code]
        self.status = status or known
        self.reason = reason or _reason(code)


def code_named(word: str | int) -> str:
    """Return the code that a fault means by a name (`UNAVAILABLE`) or a status (503). Raises ValueError."""
    code = _OF_STATUS.get(int(word)) if str(word).isdigit() else str(word)
    if code not in CODES:
        raise ValueError(f"{word} is neither a code of google.rpc nor the HTTP status of one")
    return code


def not_found(name: str) -> Refused:
    """Return the refusal of a name that nothing has."""
    return Refused("NOT_FOUND", f"Resource {name} was not found.")


def invalid(message: str) -> Refused:
    """Return the refusal of an argument."""
    return Refused("INVALID_ARGUMENT", message)


def precondition(message: str) -> Refused:
    """Return the refusal of a call that the state of things does not allow."""
    return Refused("FAILED_PRECONDITION", message)


def service_disabled(api: str, project: str) -> Refused:
    """Return the refusal of a call to an API that is off, or was turned on a moment ago: both sound alike.

    Source: cloud.google.com/apis/design/errors, "Error payloads"; github.com/hashicorp/terraform-provider-google/issues/8214.
    """
    message = (
        f"{api} has not been used in project {project} before or it is disabled. Enable it by visiting"
        f" https://console.developers.google.com/apis/api/{api}/overview?project={project} then retry. If you enabled this API"
        " recently, wait a few minutes for the action to propagate to our systems and retry."
    )
    return Refused("PERMISSION_DENIED", message, reason="accessNotConfigured", service=api)


def _reason(code: str) -> str:
    first, *rest = code.lower().split("_")
    return {
        "UNAUTHENTICATED": "authError",
        "RESOURCE_EXHAUSTED": "rateLimitExceeded",
        "UNAVAILABLE": "backendError",
    }.get(code, first + "".join(map(str.title, rest)))
