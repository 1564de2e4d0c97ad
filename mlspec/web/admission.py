"""Lets requests in or refuses them, before the application sees them, and tells browsers what not to do with an answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mlspec.web.access import Access, check_request
from mlspec.web.problem import ClientError, error_body

IDENTIFIED = "mlspec.identified"  # in a request's scope: whether its caller may see everything
# An answer is data: a browser must not take it for a page, show it inside of one, or keep it.
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class AdmissionMiddleware:
    """The application for callers that `access` lets in."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    def renew_token(self, token: str) -> None:
        """Ask for another token from the next request on, and refuse the one before."""
        self._access = replace(self._access, token=token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with an error."""

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _with_headers(message.get("headers", ()))}
            await send(message)

        try:
            identified = check_request(self._access, scope)
        except ClientError as error:
            await error_response(error)(scope, receive, send_with_headers)
            return
        await self._app({**scope, IDENTIFIED: identified}, receive, send_with_headers)


def _with_headers(given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers with those that every answer has, unless it says otherwise itself, as pages do."""
    headers = list(given)
    said = {name.lower() for name, _ in headers}
    return [*headers, *(header for header in _HEADERS if header[0] not in said)]


def error_response(error: ClientError) -> Response:
    """Return the answer to an invalid request."""
    body = json.dumps(error_body(error.code, error.message)).encode()
    return Response(body, error.code, error.headers, media_type="application/json")
