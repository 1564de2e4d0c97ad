"""The retry policy of all calls to Google, and readable messages for Google's errors.

The clients' own retries are disabled, so that there is only one retry policy. A transient failure (408, 429, 5xx, a broken
connection) is retried. The service's `Retry-After` is respected, the pauses grow with full jitter, and after DEADLINE seconds the
last error is raised
(https://cloud.google.com/storage/docs/retry-strategy, https://google.aip.dev/194).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from mlspec.errors import MissingExtra, TargetError, TargetUnreachable

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

DEADLINE = 120.0  # seconds, from the first attempt on
PATIENCE = 3600.0  # seconds for the results of a step that has ended: to make them again takes up to LONG
FIRST = 0.5  # seconds at most before the second attempt; doubled from there
LONGEST = 30.0
FIRST_AFTER_CONFLICT, LONGEST_AFTER_CONFLICT = (
    0.05,
    5.0,
)  # seconds at most between two attempts after a conflict
LONG = 6 * 3600  # seconds: the timeout of a forecast's rendered job and of a Vertex AI job
FIRST_LOOK, LONGEST_LOOK = 0.5, 30.0  # seconds between two polls of a job, at first and at most
TIMEOUT = 60.0  # seconds for one attempt
# HTTP statuses of transient failures. The clients' exceptions map gRPC's codes to the same numbers.
PASSING = (408, 429, 500, 502, 503, 504)


def call_with_retries(call: Callable[[], Answer], what: str) -> Answer:
    """Make an idempotent call and retry it while its failure is transient. `what` describes the call in messages.

    Raises TargetError if the failure is permanent or the deadline is over. Google's NotFound and PreconditionFailed are raised
    unchanged, because callers handle them.
    """
    tenacity = import_tenacity()
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        wait=_retry_wait(tenacity),
        stop=tenacity.stop_after_delay(DEADLINE),
        before_sleep=lambda state: _log_retry(what, state),
        reraise=True,
    )
    began = time.monotonic()
    with explain_google_errors(what):
        answer: Answer = attempts(call)
    number, seconds = attempts.statistics["attempt_number"], time.monotonic() - began
    logger.debug("%s: done after %.3f s at attempt %d", what, seconds, number)
    return answer


def call_patiently(call: Callable[[], Answer], what: str) -> Answer:
    """Repeat a call, with retries of its own, while Google cannot be reached: where giving up would lose the work of hours.

    Raises TargetUnreachable after PATIENCE seconds, and other errors at once.
    """
    tenacity = import_tenacity()
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TargetUnreachable),
        wait=tenacity.wait_fixed(LONGEST),
        stop=tenacity.stop_after_delay(PATIENCE),
        before_sleep=lambda _state: logger.warning("%s: Google cannot be reached; trying on", what),
        reraise=True,
    )
    answer: Answer = attempts(call)
    return answer


def _log_retry(what: str, state: Any) -> None:
    """Log a retry and its reason. A call that succeeds in the end leaves no other trace."""
    error, number = state.outcome.exception(), state.attempt_number
    said = f"{type(error).__name__}: {_error_text(error)}"
    logger.info("%s: attempt %d failed (%s); again in %.1f s", what, number, said, state.upcoming_sleep)


def retry_on_conflict(attempt: Callable[[], Answer], conflict: type[Exception], what: str) -> Answer:
    """Repeat an attempt with growing pauses while it raises `conflict`, because another process changes the same object.

    Raises TargetError if the conflicts last for DEADLINE seconds. `what` describes the attempt in messages.
    """
    tenacity = import_tenacity()
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(conflict),
        wait=tenacity.wait_random_exponential(multiplier=FIRST_AFTER_CONFLICT, max=LONGEST_AFTER_CONFLICT),
        stop=tenacity.stop_after_delay(DEADLINE),
    )
    try:
        answer: Answer = attempts(attempt)
    except tenacity.RetryError as error:
        raise TargetError(
            f"cannot {what}: another process keeps changing it",
            hint="find the other process that uses this forecast, then try again",
        ) from error
    return answer


def poll_until(look: Callable[[], Answer], is_over: Callable[[Answer], bool], deadline: float) -> Answer | None:
    """Poll a job on Google Cloud until it is over, and return the last answer; None if it still runs after `deadline` seconds.
    Pauses grow by a third each time."""
    tenacity = import_tenacity()
    looks = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda answer: not is_over(answer)),
        wait=tenacity.wait_exponential(multiplier=FIRST_LOOK, exp_base=4 / 3, max=LONGEST_LOOK),
        stop=tenacity.stop_after_delay(deadline),
        retry_error_callback=lambda _state: None,
    )
    answer: Answer | None = looks(look)
    return answer


def is_transient(error: BaseException) -> bool:
    """Return whether a retry of the same call may succeed."""
    from google.api_core.exceptions import Conflict, GoogleAPICallError
    from google.auth.exceptions import RefreshError, TransportError
    from requests.exceptions import ChunkedEncodingError, ConnectionError, Timeout  # noqa: A004  (requests' own name)

    if isinstance(error, Conflict):
        return True  # another change is in progress: the caller reads the state again before each attempt
    if isinstance(error, GoogleAPICallError):
        return error.code in PASSING or is_activating(error)
    if isinstance(error, RefreshError):
        return bool(error.retryable)
    return isinstance(error, (TransportError, ChunkedEncodingError, ConnectionError, Timeout, OSError))


def is_activating(error: BaseException) -> bool:
    """Return whether a call was refused because its API is off, or was enabled a moment ago.

    Both give the same error, and Google asks to wait a few minutes after enabling
    (cloud.google.com/service-usage/docs/troubleshooting, google.rpc.ErrorInfo).
    """
    reasons = [entry.get("reason") for entry in getattr(error, "errors", ()) if isinstance(entry, dict)]
    return "SERVICE_DISABLED" in (getattr(error, "reason", None), *reasons) or "accessNotConfigured" in reasons


def retry_after(error: BaseException | None) -> float:
    """Return the seconds that a service asked to wait: `Retry-After` over HTTP, RetryInfo over gRPC; else 0."""
    header = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
    if str(header).isdigit():
        return float(header)
    delays = [detail.retry_delay for detail in getattr(error, "details", None) or () if hasattr(detail, "retry_delay")]
    return float(delays[0].seconds) if delays else 0.0


def _retry_wait(tenacity: Any) -> Callable[[Any], float]:
    jitter = tenacity.wait_random_exponential(multiplier=FIRST, max=LONGEST)

    def wait_seconds(state: Any) -> float:
        return float(min(max(jitter(state), retry_after(state.outcome.exception())), DEADLINE))

    return wait_seconds


@contextmanager
def explain_google_errors(what: str) -> Iterator[None]:
    """Turn Google's errors into TargetErrors with hints, TargetUnreachable if the same call may succeed later.

    NotFound and PreconditionFailed are raised unchanged.
    """
    from google.api_core.exceptions import GoogleAPICallError, NotFound, PreconditionFailed, RetryError
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    try:
        yield
    except (NotFound, PreconditionFailed):
        raise
    except (GoogleAPICallError, RetryError) as error:
        passes = isinstance(error, RetryError) or error.code in PASSING or is_activating(error)
        hint = _ACTIVATING_HINT if is_activating(error) else _hint_for(getattr(error, "code", None))
        raise (TargetUnreachable if passes else TargetError)(
            f"cannot {what}: {_error_text(error)}", hint=hint
        ) from error
    except (RequestException, TransportError, OSError) as error:
        raise TargetUnreachable(
            f"cannot {what}: Google cannot be reached ({type(error).__name__})",
            hint="check the network, then try again",
        ) from error
    except GoogleAuthError as error:
        raise TargetError(
            f"cannot {what}: no valid Google credentials ({type(error).__name__})",
            hint="sign in: gcloud auth application-default login",
        ) from error


@contextmanager
def explain_disappearance(what: str) -> Iterator[None]:
    """Turn NotFound and PreconditionFailed into a TargetError: something was removed or changed during `what`."""
    from google.api_core.exceptions import NotFound, PreconditionFailed

    try:
        yield
    except (NotFound, PreconditionFailed) as error:
        raise TargetError(
            f"cannot {what}: {_error_text(error)}",
            hint="it was removed or changed meanwhile: run the same command again",
        ) from error


def _error_text(error: Any) -> str:
    code = getattr(error, "code", None)
    return f"{getattr(error, 'message', '') or error}".strip().split("\n")[0][:300] + (
        f" ({int(code)})" if code else ""
    )


_HINTS = {
    400: "the service refused mlspec's request as invalid: please report it, with the service's message",
    401: "sign in: gcloud auth application-default login",
    403: "the account lacks a role, or the API is off: infra/iam.tf lists the roles of each account",
    429: "a quota is used up: wait, or ask for more at https://console.cloud.google.com/iam-admin/quotas",
}

_ACTIVATING_HINT = (
    "if the API was enabled a few minutes ago, try again; if it is off, apply infra/: it enables the APIs"
)


def _hint_for(code: Any) -> str:
    return _HINTS.get(int(code) if code else 0, "try again later: finished steps are recorded")


def import_tenacity() -> Any:
    """Return tenacity. Raises MissingExtra if it or another library of the extra is missing."""
    try:
        import google.api_core.exceptions
        import requests
        import tenacity
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "google-cloud-storage", "gcp") from error
    del google, requests
    return tenacity
