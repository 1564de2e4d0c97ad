"""HTTP's side of the stand-in: Cloud Storage, BigQuery and the small services that have no gRPC client here, by host."""

from __future__ import annotations

import dataclasses
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.iam.policies import billed_to
from tests.gcp.standin.identity import Identity
from tests.gcp.standin.journal import Call, Journal
from tests.gcp.standin.refused import Refused
from tests.gcp.standin.rest import Request, Response, Route, answer, error
from tests.gcp.standin.rules import enforcement

_ASKS = (".testIamPermissions", ".getIamPolicy")  # by POST, and change nothing
_TOKEN_HOST = "oauth2.googleapis.com"


def routes(host: str) -> list[Route]:
    """Return the routes of a host; a service is loaded with the first call to it."""
    if host == "storage.googleapis.com":
        from tests.gcp.standin.services.storage.routes import ROUTES
    elif host == "bigquery.googleapis.com":
        from tests.gcp.standin.services.bigquery.routes import ROUTES
    elif host in ("artifactregistry.googleapis.com", "pubsub.googleapis.com"):
        from tests.gcp.standin.services.shelves import ROUTES
    elif host == "iam.googleapis.com":
        from tests.gcp.standin.services.accounts import ROUTES
    elif host == "cloudbuild.googleapis.com":
        from tests.gcp.standin.services.builds import ROUTES
    elif host == "cloudscheduler.googleapis.com":
        from tests.gcp.standin.services.scheduler import ROUTES
    elif host == "monitoring.googleapis.com":
        from tests.gcp.standin.services.channels import ROUTES
    elif host == "compute.googleapis.com":
        from tests.gcp.standin.services.networks import ROUTES
    elif host == "cloudbilling.googleapis.com":
        from tests.gcp.standin.services.projects import BILLING as ROUTES
    else:
        from tests.gcp.standin.services.projects import ROUTES
    return ROUTES


class RestDoor:
    """Everything that arrives over HTTP. `cloud` and `journal` are asked for at each call: a reset makes new ones."""

    def __init__(
        self, identity: Identity, cloud: Callable[[], Cloud], journal: Callable[[], Journal], cut: Callable[[int], None]
    ) -> None:
        self._identity, self._cloud, self._journal, self._cut = identity, cloud, journal, cut

    def start(self) -> int:
        """Return the port on which it listens now."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.call))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return int(server.server_address[1])

    def call(self, request: Request, peer: int) -> Response:
        """Return the answer to one request."""
        try:
            if request.host == _TOKEN_HOST:
                assertion = parse_qs(request.body.decode()).get("assertion", [""])[0]
                return answer(self._identity.issue(assertion))
            return self._call(request, peer)
        except Refused as refused:
            return error(refused)
        except Exception as fault:  # noqa: BLE001  (the caller is told, by a status that no client tries again)
            traceback.print_exc(file=sys.stderr)
            return error(Refused("UNIMPLEMENTED", f"the stand-in broke: {type(fault).__name__}: {fault}"))

    def _call(self, request: Request, peer: int) -> Response:
        route, request = _routed(request)
        cloud = self._cloud()

        def effect() -> Response:
            email = self._identity.check(request.headers.get("authorization", ""))
            enforcement.check_enabled(cloud, request.host)
            enforcement.check_json(route.audited, request)
            with cloud.lock:
                cloud.operations.tick()
                cloud.iam.caller = email
                if cloud.iam.owns(email):
                    return route.handler(cloud, request)
                return _allowed(cloud, email, route, request)

        mutating = request.method not in {"GET", "HEAD"} and not route.audited.endswith(_ASKS)
        call = Call(route.audited, mutating, request.headers.get("user-agent", ""), request.asked)
        return self._journal().carry_out(call, effect=effect, cut=lambda: self._cut(peer))


def _allowed(cloud: Cloud, email: str, route: Route, request: Request) -> Response:
    """Answer whoever owns nothing, as far as the account may."""
    from tests.gcp.standin.iam import asked_rest

    cloud.iam.require(email, [*billed_to(request.headers), *asked_rest.needs(cloud, route.audited, request)])
    try:
        return route.handler(cloud, request)
    except Refused as refused:
        hidden = asked_rest.hides(cloud, route.audited, request) if refused.code == "NOT_FOUND" else None
        if hidden is not None:
            cloud.iam.require(email, [hidden])
        raise


def _routed(request: Request) -> tuple[Route, Request]:
    for route in routes(request.host):
        names = route.match(request.method, request.path)
        if names is not None:
            return route, dataclasses.replace(request, names=names)
    raise Refused(
        "UNIMPLEMENTED", f"the stand-in does not know {request.method} {request.host}{request.path}", status=404
    )


def _body(stream: BufferedIOBase, headers: Mapping[str, str]) -> bytes:
    """Return a request's body; Go sends an upload in chunks, without a length (RFC 9112, 7.1)."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return stream.read(int(headers.get("content-length") or 0))
    body = b""
    while size := int(stream.readline().partition(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    while stream.readline().strip():
        pass  # trailers
    return body


def _handler(call: Callable[[Request, int], Response]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body leave together
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            found = call(self._request(), self.client_address[1])
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(found.body)

        def _request(self) -> Request:
            split = urlsplit(self.path)
            headers = {key.lower(): value for key, value in self.headers.items()}
            body = _body(self.rfile, headers)
            query: dict[str, str] = {}
            for key, value in parse_qsl(split.query, keep_blank_values=True):
                query[key] = f"{query[key]},{value}" if key in query else value  # a repeated key is a list
            host = headers.get("host", "").partition(":")[0]
            return Request(self.command, host, split.path, query, headers, body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_words: Any) -> None:
            """Say nothing."""

    return Handler
