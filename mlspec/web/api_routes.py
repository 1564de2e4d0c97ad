"""The paths beside Vertex AI's: what is served, KServe's time series contract, the OpenAPI document and its page."""

from __future__ import annotations

import json

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlspec.web.answer import HttpAnswer, PredictionHandler
from mlspec.web.kserve import KserveFormat, error_value, parse_request
from mlspec.web.model_list import ModelList, describe_model
from mlspec.web.openapi import Document, make_document
from mlspec.web.openapi_page import render_page
from mlspec.web.prediction_cache import PredictionCache
from mlspec.web.problem import ClientError, unknown_forecast
from mlspec.web.request_body import read_body

REMOVED = "it was removed"


def make_api_routes(
    cache: PredictionCache, handler: PredictionHandler, platform_predict: str | None, *, with_what_if: bool = False
) -> list[Route]:
    """Return the routes; `platform_predict` is a further path of predictions, for the document."""
    endpoints = _ApiEndpoints(cache, handler, platform_predict, with_what_if=with_what_if)
    return [
        Route("/v1/models", endpoints.list_models, methods=["GET"]),
        Route("/v1/models/{name}", endpoints.describe, methods=["GET"]),
        Route("/v1/timeseries/forecast", endpoints.forecast, methods=["POST"]),
        Route("/openapi.json", endpoints.document, methods=["GET"]),
        Route("/docs", endpoints.page, methods=["GET"]),
    ]


class _ApiEndpoints:
    """The endpoints, one method per path."""

    def __init__(
        self, cache: PredictionCache, handler: PredictionHandler, platform_predict: str | None, *, with_what_if: bool
    ) -> None:
        self.cache, self.handler, self.platform_predict = cache, handler, platform_predict
        self.with_what_if = with_what_if

    async def list_models(self, _request: Request) -> Response:
        return _model_response(ModelList(models=list(self.cache.names)))

    async def describe(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name.endswith((":predict", ":whatIf")):
            raise HTTPException(405, headers={"Allow": "POST"})
        cached = self.cache.find_forecast(name)
        if cached is None:
            raise unknown_forecast(name, self.cache.names)
        return _model_response(describe_model(name, cached))

    async def forecast(self, request: Request) -> Response:
        body = await read_body(request)
        try:
            answer = await run_in_threadpool(self._answer_forecast, body)
        except ClientError as error:
            return Response(_encode(error_value(error)), error.code, error.headers, media_type="application/json")
        return Response(answer.body, answer.code, media_type="application/json")

    def _answer_forecast(self, body: bytes) -> HttpAnswer:
        request = parse_request(body)
        cached = self.cache.find_forecast(request.model)
        if cached is None:
            raise unknown_forecast(request.model, self.cache.names)
        return self.handler.answer(request.model, cached, KserveFormat(request, self.handler.counts.read_clock()))

    async def document(self, _request: Request) -> Response:
        content = await run_in_threadpool(lambda: _encode(self._make_document()))
        return Response(content, media_type="application/json")

    async def page(self, _request: Request) -> Response:
        text = await run_in_threadpool(lambda: render_page(self._make_document()))
        return Response(text, media_type="text/html; charset=utf-8")

    def _make_document(self) -> Document:
        found = {name: self.cache.find_forecast(name) for name in self.cache.names}
        forecasts = {name: REMOVED if one is None else one for name, one in found.items()}
        return make_document(forecasts, self.platform_predict, with_what_if=self.with_what_if)


def _model_response(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")


def _encode(value: Document) -> bytes:
    return json.dumps(value).encode()
