"""Sends a notice to a webhook. The address is a secret. The message is signed by the Standard Webhooks specification.

The headers are webhook-id, webhook-timestamp and webhook-signature, the signature is HMAC-SHA256 over `id.timestamp.body`
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). The key is the part of the address
after `#`, which is never sent. If the address has no such part, the address itself is the key, as only the receiver knows it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from mlspec.errors import MissingExtra
from mlspec.log_context import hide_secret
from mlspec.state.notice import Notice, as_message
from mlspec.targets.notify.base import DeliveryError
from mlspec.targets.notify.deadline import finish_in_time

# Client errors that a retry may solve: time-out, too early, too many requests. A retry may also solve every server error.
AGAIN = (408, 425, 429)
_PREFIX = "whsec_"


class WebhookSender:
    """Sends to one webhook. `address` is the secret's value, `clock` returns RFC 3339.

    `allowed` are networks, such as `10.20.0.0/16`, where the webhook may be although they are not public.
    """

    def __init__(self, address: str, clock: Callable[[], str], allowed: Sequence[str] = ()) -> None:
        parts = urlsplit(hide_secret(address.strip()))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DeliveryError("the secret holds no http or https address", permanent=True)
        self._url = parts._replace(fragment="").geturl()
        self._key = signing_key(parts.fragment) if parts.fragment else self._url.encode()
        self._clock, self._allowed = clock, tuple(allowed)

    def send_notice(self, notice: Notice) -> None:
        """Post the notice. Raises DeliveryError unless the answer is 2xx and comes before the deadline."""
        try:
            from mlspec.targets.notify.http_post import post_message
        except ModuleNotFoundError as error:
            missing = MissingExtra("urllib3", "notify")
            raise DeliveryError(f"{missing.message}: {missing.hint}", permanent=True) from error
        body = json.dumps(as_message(notice), sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
        at = int(datetime.fromisoformat(self._clock()).timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": "mlspec",
            "webhook-id": notice.id,
            "webhook-timestamp": str(at),
            "webhook-signature": sign_message(self._key, notice.id, at, body),
        }
        status, retry_after = finish_in_time(
            lambda cut_off: post_message(self._url, body, headers, cut_off, self._allowed)
        )
        _check_status(status, retry_after, at)


def _check_status(status: int, retry_after: str | None, now: int) -> None:
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryError(
            f"it answered {status}, a redirect, which is not followed: correct the secret", permanent=True
        )
    permanent = status < 500 and status not in AGAIN
    raise DeliveryError(f"it answered {status}", permanent=permanent, retry_after=parse_retry_after(retry_after, now))


def sign_message(key: bytes, name: str, at: int, body: bytes) -> str:
    """Return the signature of a message: version 1, base64 of the HMAC-SHA256 over its id, time and body."""
    digest = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def signing_key(text: str) -> bytes:
    """Return the key that a text encodes: base64 with or without `whsec_` (the specification), else the text's bytes."""
    try:
        return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


def parse_retry_after(text: str | None, now: int) -> float | None:
    """Return the seconds to wait by a Retry-After header, a number or a date (RFC 9110, 10.2.3); None if it is neither."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now, 0.0)
