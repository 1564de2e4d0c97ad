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
from datetime import datetime

from mlspec.state.notice import Notice, as_message
from mlspec.targets.notify.http_delivery import deliver_json, read_address

_PREFIX = "whsec_"


class WebhookSender:
    """Sends to one webhook. `address` is the secret's value, `clock` returns RFC 3339.

    `allowed` are networks, such as `10.20.0.0/16`, where the webhook may be although they are not public.
    """

    def __init__(self, address: str, clock: Callable[[], str], allowed: Sequence[str] = ()) -> None:
        self._url, fragment = read_address(address)
        self._key = signing_key(fragment) if fragment else self._url.encode()
        self._clock, self._allowed = clock, tuple(allowed)

    def send_notice(self, notice: Notice) -> str:
        """Post the notice and return what was answered. Raises DeliveryError unless that is 2xx and comes before the deadline."""
        body = json.dumps(as_message(notice), sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
        at = int(datetime.fromisoformat(self._clock()).timestamp())
        headers = {
            "webhook-id": notice.id,
            "webhook-timestamp": str(at),
            "webhook-signature": sign_message(self._key, notice.id, at, body),
        }
        return deliver_json(self._url, body, self._clock, self._allowed, headers)


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
