"""Delivers JSON to an address that is a secret, and reads from the status whether a retry may help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from urllib.parse import urlsplit

from mlspec.errors import MissingExtra
from mlspec.log_context import hide_secret
from mlspec.targets.notify.base import DeliveryError
from mlspec.targets.notify.deadline import finish_in_time

# Client errors that a retry may solve: time-out, too early, too many requests. A retry may also solve every server error.
AGAIN = (408, 425, 429)


def read_address(secret: str) -> tuple[str, str]:
    """Return the address that a secret holds, without its fragment, and the fragment. Raises DeliveryError if it holds none."""
    try:
        parts = urlsplit(hide_secret(secret.strip()))
    except ValueError:  # its words hold a part of the address
        raise _no_address() from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _no_address()
    return parts._replace(fragment="").geturl(), parts.fragment


def _no_address() -> DeliveryError:
    return DeliveryError("the secret holds no http or https address", permanent=True)


def deliver_json(
    url: str,
    body: bytes,
    clock: Callable[[], str],
    allowed: Sequence[str],
    headers: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Post a body of JSON and return what was answered. `clock` returns RFC 3339.

    Raises DeliveryError unless the answer is 2xx and comes before the deadline.
    """
    try:
        from mlspec.targets.notify.http_post import post_message
    except ModuleNotFoundError as error:
        missing = MissingExtra("urllib3", "notify")
        raise DeliveryError(missing.sentence, permanent=True) from error
    sent = {"content-type": "application/json", "user-agent": "mlspec", **headers}
    status, retry_after = finish_in_time(lambda cut_off: post_message(url, body, sent, cut_off, allowed))
    _check_status(status, retry_after, int(datetime.fromisoformat(clock()).timestamp()))
    return f"it answered {status}"


def _check_status(status: int, retry_after: str | None, now: int) -> None:
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryError(
            f"it answered {status}, a redirect, which is not followed: correct the secret", permanent=True
        )
    permanent = status < 500 and status not in AGAIN
    raise DeliveryError(f"it answered {status}", permanent=permanent, retry_after=parse_retry_after(retry_after, now))


def parse_retry_after(text: str | None, now: int) -> float | None:
    """Return the seconds to wait by a Retry-After header, a number or a date (RFC 9110, 10.2.3); None if it is neither."""
    if text is None:
        return None
    if text.strip().isdecimal() and text.isascii():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now, 0.0)
