"""Calls to Google: tried again where that helps, refused in words for the person who must act.

The clients' own retries are switched off where a call goes through here, so that there is one policy, and one place that keeps it:
what the service names as passing (408, 429, 5xx, a broken connection) is tried again, the service's own `Retry-After` is waited
out, pauses grow with full jitter, and after DEADLINE seconds the last answer stands
(https://cloud.google.com/storage/docs/retry-strategy, https://google.aip.dev/194).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from mlspec.errors import MissingExtra, TargetError

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

DEADLINE = 120.0  # seconds, from the first attempt on
FIRST = 0.5  # seconds at most before the second attempt; doubled from there
LONGEST = 30.0
FIRST_AFTER_CONFLICT, LONGEST_AFTER_CONFLICT = (
    0.05,
    5.0,
)  # seconds at most between two attempts where somebody else was faster
LONG = 6 * 3600  # seconds: as long as the rendered job of a forecast may take, and a job of Vertex AI
FIRST_LOOK, LONGEST_LOOK = 0.5, 30.0  # seconds between two looks at what runs, at first and at most
TIMEOUT = 60.0  # seconds for one attempt
# HTTP statuses that may pass; gRPC's codes come as the same numbers from the clients' exceptions.
PASSING = (408, 429, 500, 502, 503, 504)


def call_with_retries(call: Callable[[], Answer], what: str) -> Answer:
    """Make a call that may be made twice, and again while its failure may pass. `what` says what is being done, for messages.

    Raises TargetError where the answer is no for good, or nothing came in time. Google's NotFound and PreconditionFailed are
    answers, and pass through as they are.
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


def _log_retry(what: str, state: Any) -> None:
    """Log that a call is made again, and why; a call that succeeds in the end leaves no other trace."""
    error, number = state.outcome.exception(), state.attempt_number
    said = f"{type(error).__name__}: {_error_text(error)}"
    logger.info("%s: attempt %d failed (%s); again in %.1f s", what, number, said, state.upcoming_sleep)


def retry_on_conflict(attempt: Callable[[], Answer], conflict: type[Exception], what: str) -> Answer:
    """Look and act again, after a pause that grows, as long as somebody else changes the same thing in between (`conflict`).

    Raises TargetError where that goes on for DEADLINE seconds. `what` says what is being done, for messages.
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
            f"cannot {what}: somebody else keeps changing it",
            hint="see what else works on this forecast, then try again",
        ) from error
    return answer


def poll_until(look: Callable[[], Answer], is_over: Callable[[Answer], bool], deadline: float) -> Answer | None:
    """Look at what runs on Google Cloud until it is over, and return the last answer; None where it still runs after `deadline`
    seconds. Pauses grow by a third each time."""
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
    """Return whether the same call may succeed in a while."""
    from google.api_core.exceptions import Conflict, GoogleAPICallError
    from google.auth.exceptions import RefreshError, TransportError
    from requests.exceptions import ChunkedEncodingError, ConnectionError, Timeout  # noqa: A004  (requests' own name)

    if isinstance(error, Conflict):
        return True  # another change is under way: whoever calls looks again first
    if isinstance(error, GoogleAPICallError):
        return error.code in PASSING
    if isinstance(error, RefreshError):
        return bool(error.retryable)
    return isinstance(error, (TransportError, ChunkedEncodingError, ConnectionError, Timeout, OSError))


def retry_after(error: BaseException | None) -> float:
    """Return for how many seconds a service asked to be left alone: `Retry-After` over HTTP, RetryInfo over gRPC; else 0."""
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
    """Say what Google refused, and what helps. Its answers about what is there or not pass through."""
    from google.api_core.exceptions import GoogleAPICallError, NotFound, PreconditionFailed, RetryError
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    try:
        yield
    except (NotFound, PreconditionFailed):
        raise
    except (GoogleAPICallError, RetryError) as error:
        raise TargetError(
            f"cannot {what}: {_error_text(error)}", hint=_hint_for(getattr(error, "code", None))
        ) from error
    except (RequestException, TransportError, OSError) as error:
        raise TargetError(
            f"cannot {what}: Google cannot be reached ({type(error).__name__})",
            hint="look at the network, or try again",
        ) from error
    except GoogleAuthError as error:
        raise TargetError(
            f"cannot {what}: Google does not know who asks ({type(error).__name__})",
            hint="sign in: gcloud auth application-default login",
        ) from error


@contextmanager
def explain_disappearance(what: str) -> Iterator[None]:
    """Say that something went away while `what` was being done: an answer that nobody waited for, and another try may mend."""
    from google.api_core.exceptions import NotFound, PreconditionFailed

    try:
        yield
    except (NotFound, PreconditionFailed) as error:
        raise TargetError(
            f"cannot {what}: {_error_text(error)}",
            hint="somebody removed or changed it meanwhile: run the same command again",
        ) from error


def _error_text(error: Any) -> str:
    code = getattr(error, "code", None)
    return f"{getattr(error, 'message', '') or error}".strip().split("\n")[0][:300] + (
        f" ({int(code)})" if code else ""
    )


_HINTS = {
    400: "mlspec sent what the service does not take: please report it, with the service's words",
    401: "sign in: gcloud auth application-default login",
    403: "the account lacks a role, or the API is off: infra/iam.tf says which account may do what",
    429: "a quota is used up: wait, or ask for more at https://console.cloud.google.com/iam-admin/quotas",
}


def _hint_for(code: Any) -> str:
    return _HINTS.get(int(code) if code else 0, "try again in a while: what was done before is recorded")


def import_tenacity() -> Any:
    """Return the library of retries. Raises MissingExtra where it, or another part of the extra, is missing."""
    try:
        import google.api_core.exceptions
        import requests
        import tenacity
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "google-cloud-storage", "gcp") from error
    del google, requests
    return tenacity
