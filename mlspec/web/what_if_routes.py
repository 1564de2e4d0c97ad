"""The path POST /v1/models/NAME:whatIf."""

from __future__ import annotations

import logging

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlspec.errors import MlspecError, UsageError
from mlspec.spec.forecast import Forecast
from mlspec.web.prediction_cache import CachedForecast, PredictionCache
from mlspec.web.problem import ClientError, unknown_forecast
from mlspec.web.request_body import read_body
from mlspec.web.what_if import WhatIfAnswers
from mlspec.web.what_if_messages import WhatIfRequest, known_covariates, make_response

logger = logging.getLogger(__name__)


def make_what_if_routes(cache: PredictionCache, answers: WhatIfAnswers) -> list[Route]:
    """Return the route."""
    endpoint = _WhatIfEndpoint(cache, answers)
    return [Route("/v1/models/{name}:whatIf", endpoint.answer, methods=["POST"])]


class _WhatIfEndpoint:
    """Checks a request against its forecast, and answers it."""

    def __init__(self, cache: PredictionCache, answers: WhatIfAnswers) -> None:
        self.cache, self.answers = cache, answers

    async def answer(self, request: Request) -> Response:
        name = request.path_params["name"]
        cached = self.cache.find_forecast(name)
        if cached is None:
            raise unknown_forecast(name, self.cache.names)
        body = await read_body(request)
        return await run_in_threadpool(self._answer_body, name, cached, body)

    def _answer_body(self, name: str, cached: CachedForecast | str, body: bytes) -> Response:
        if isinstance(cached, str):
            raise ClientError(f"the forecast is not ready: {cached}", 503)
        asked = _parse_request(cached.spec, body)
        try:
            assumed = asked.as_assumptions()
            answer = make_response(name, assumed, self.answers.answer(name, assumed))
        except UsageError as error:
            raise ClientError(error.sentence) from error
        except MlspecError as error:
            logger.warning("a what-if of %s: %s", name, error.message)
            raise ClientError(error.sentence, 503) from error
        return Response(answer.model_dump_json(), media_type="application/json")


def _parse_request(spec: Forecast, body: bytes) -> WhatIfRequest:
    """Return the request. Raises ClientError if it is none for this forecast."""
    try:
        asked = WhatIfRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        raise ClientError(f"{place}: {first['msg']}") from error
    for part, named, known in (
        ("assumed", asked.assumed, known_covariates(spec)),
        ("series", asked.series, list(spec.dataset.series)),
    ):
        for column in named:
            if column not in known:
                expected = f"expected one of {', '.join(known[:10])}" if known else "the spec has none"
                raise ClientError(f"{part} has no column {column[:60]!r}: {expected}")
    return asked
