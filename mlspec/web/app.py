"""The server's paths (Vertex AI's container contract, and mlspec's own) and the limits of a request.

Contract: cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements. The health path answers GET with 200 once every
recorded version was loaded, also if there is none. It must not wait for a first version, because that is recorded only after Vertex
AI has found its container healthy. It must not answer earlier, because a batch prediction job sends requests as soon as it is
healthy. A prediction is a POST of `{"instances": [...], "parameters": {...}}` in at most 1.5 MB.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mlspec.web.admission import IDENTIFIED, error_response
from mlspec.web.answer import PredictionHandler
from mlspec.web.api_routes import make_api_routes
from mlspec.web.prediction_cache import PredictionCache
from mlspec.web.problem import ClientError, error_body, unknown_forecast
from mlspec.web.request_body import read_body
from mlspec.web.what_if import WhatIfAnswers
from mlspec.web.what_if_routes import make_what_if_routes

logger = logging.getLogger(__name__)
WHOLE_SECONDS = 60.0  # from the headers to the last byte of the answer


@dataclass(frozen=True, slots=True)
class PlatformRoutes:
    """Additional paths that a platform requires (AIP_PREDICT_ROUTE, AIP_HEALTH_ROUTE)."""

    predict: str | None = None
    health: str | None = None


def make_app(
    cache: PredictionCache,
    handler: PredictionHandler,
    routes: PlatformRoutes,
    pages: Sequence[Route] = (),
    what_if: WhatIfAnswers | None = None,
) -> ASGIApp:
    """Return the application. `pages` are the routes of the pages for people, which come last; `what_if` answers what-ifs."""
    endpoints = _Endpoints(cache, handler)
    predicts = ["/predict", *([routes.predict] if routes.predict else [])]
    # First in the table, because the platform's path may equal one of mlspec's.
    platform = [Route(routes.health, endpoints.report_loaded, methods=["GET"])] if routes.health else []
    table = [
        *platform,
        Route("/v1/models/{name}:predict", endpoints.predict_named, methods=["POST"]),
        *(Route(path, endpoints.predict_the_only_one, methods=["POST"]) for path in dict.fromkeys(predicts)),
        Route("/healthz", endpoints.healthz, methods=["GET"]),
        Route("/readyz", endpoints.readyz, methods=["GET"]),
        Route("/metrics", endpoints.metrics, methods=["GET"]),
        *(make_what_if_routes(cache, what_if) if what_if else []),
        *make_api_routes(cache, handler, routes.predict, with_what_if=what_if is not None),
        *pages,
    ]
    router = Starlette(
        routes=table, exception_handlers={HTTPException: _answer_http_error, ClientError: _answer_client_error}
    )
    router.router.redirect_slashes = False  # the address of a redirect would be made from the Host header
    return _GuardMiddleware(router, handler)


class _Endpoints:
    """The endpoints, one method per path."""

    def __init__(self, cache: PredictionCache, handler: PredictionHandler) -> None:
        self.cache, self.handler = cache, handler

    async def predict_named(self, request: Request) -> Response:
        return await self._answer_prediction(request, request.path_params["name"])

    async def predict_the_only_one(self, request: Request) -> Response:
        names = self.cache.names
        if len(names) != 1:
            raise ClientError(f"there are {len(names)} forecasts: POST /v1/models/NAME:predict", 404)
        return await self._answer_prediction(request, names[0])

    async def _answer_prediction(self, request: Request, name: str) -> Response:
        if self.cache.find_forecast(name) is None:
            raise unknown_forecast(name, self.cache.names)
        body = await read_body(request)
        cached = self.cache.find_forecast(name)
        answer = await run_in_threadpool(self.handler, name, "it was removed" if cached is None else cached, body)
        return Response(answer.body, answer.code, media_type="application/json")

    async def healthz(self, _request: Request) -> Response:
        return _json_response({"live": True})

    async def readyz(self, request: Request) -> Response:
        why, names = self.cache.why_not_ready, self.cache.names
        ready = self.cache.is_ready
        forecasts = {"forecasts": {name: why.get(name, "ready") for name in names}}
        seen = forecasts if request.scope.get(IDENTIFIED, True) else {}
        return _json_response({"ready": ready, **seen}, 200 if ready else 503)

    async def report_loaded(self, _request: Request) -> Response:
        return _json_response({"loaded": self.cache.is_loaded}, 200 if self.cache.is_loaded else 503)

    async def metrics(self, _request: Request) -> Response:
        page = await run_in_threadpool(self.handler.counts.render_metrics)
        return Response(page, media_type="text/plain; version=0.0.4; charset=utf-8")


class _GuardMiddleware:
    """Limits the time of a request, and answers an internal error without a traceback."""

    def __init__(self, app: ASGIApp, handler: PredictionHandler) -> None:
        self.app, self.handler = app, handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                await self.app(scope, receive, send_and_note)
        except TimeoutError:
            if started:
                raise  # the client does not read the answer: close the connection
            await _json_response(error_body(503, f"there was no answer within {WHOLE_SECONDS:g} s"), 503)(
                scope, receive, send
            )
        except Exception as error:
            logger.debug("a request failed", exc_info=error)
            self.handler.say(f"internal error: {type(error).__name__}: {error}")
            if started:
                raise
            body = error_body(500, "internal error; see the server log")
            await _json_response(body, 500)(scope, receive, send)


async def _answer_client_error(_request: Request, error: Exception) -> Response:
    return error_response(error if isinstance(error, ClientError) else ClientError(str(error)))


async def _answer_http_error(_request: Request, error: Exception) -> Response:
    """Answer the router's errors in JSON."""
    code = error.status_code if isinstance(error, HTTPException) else 400
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    messages = {
        404: "there is no such path: POST /v1/models/NAME:predict, GET /healthz, /readyz, /metrics or /docs, which lists all",
        405: f"this path accepts {headers.get('Allow', 'another method')}",
    }
    return _json_response(error_body(code, messages.get(code, "the request is not accepted")), code, headers)


def _json_response(value: Any, code: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(value).encode(), code, headers, media_type="application/json")
