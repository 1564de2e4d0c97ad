"""Reads the body of a request, within limits of form, size and time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from mlspec.web.problem import CLOSE, ClientError

MOST_BYTES = 1_500_000  # Vertex AI's limit
MOST_READ = 10 * MOST_BYTES  # the server closes the connection of a client that sends more
BODY_SECONDS = 10.0  # to receive a whole body; enough on a slow connection


async def read_body(request: Request) -> bytes:
    """Return the whole body, if it is JSON and not too large. Raises ClientError."""
    _refuse_other_content(request)
    content_length = request.headers.get("content-length", "0")
    if not content_length.isdecimal() or int(content_length[:12]) > MOST_READ:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read_bounded(request)
    except TimeoutError as error:
        raise ClientError(f"the body was not sent within {BODY_SECONDS:g} s", 408, CLOSE) from error
    except ClientDisconnect as error:
        raise ClientError("the client disconnected") from error
    return body


def _refuse_other_content(request: Request) -> None:
    """Refuse a body that does not say it is JSON: only such a request cannot be sent by a page of another site unasked.

    Source: fetch.spec.whatwg.org, "CORS-safelisted request-header": for any other content a browser asks this server first.
    """
    kinds = request.headers.getlist("content-type")
    kind, _, parameter = (kinds[0] if len(kinds) == 1 else "").lower().partition(";")
    is_json = kind.strip() == "application/json" and parameter.strip().replace('"', "") in ("", "charset=utf-8")
    if not is_json or "content-encoding" in request.headers:
        raise ClientError("expected Content-Type: application/json in UTF-8, and no Content-Encoding", 415)


async def _read_bounded(request: Request) -> bytes:
    """Return the body. A slightly too large body is read to its end, so that the client can read the answer."""
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MOST_BYTES:
            body += chunk
        elif size > MOST_READ:
            break
    if size > MOST_BYTES:
        raise _too_large()
    return bytes(body)


def _too_large() -> ClientError:
    return ClientError(f"the body is larger than {MOST_BYTES:,} bytes: send fewer instances", 413, CLOSE)
