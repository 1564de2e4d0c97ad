"""Makes the OpenAPI 3.1 document of the server from what checks its requests: the pydantic models, the specs, the tables of limits.

Source: spec.openapis.org/oas/v3.1.0. Each forecast has a path of its own for predictions, because its columns are its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from mlspec import __version__
from mlspec.state.predicted import Predictions
from mlspec.web.instance_schema import request_schema, response_schema
from mlspec.web.kserve import frequency_words
from mlspec.web.kserve_messages import ForecastRequest, ForecastResponse, KserveErrorResponse
from mlspec.web.model_list import ModelDescription, ModelList
from mlspec.web.prediction_cache import CachedForecast
from mlspec.web.problem import STATUS
from mlspec.web.what_if_messages import WhatIfResponse, known_covariates
from mlspec.web.what_if_messages import request_schema as what_if_schema

Document = dict[str, Any]
_MODELS: tuple[type[BaseModel], ...] = (
    ForecastRequest,
    ForecastResponse,
    KserveErrorResponse,
    ModelDescription,
    ModelList,
    WhatIfResponse,
)
_ANY: Document = {"type": "object"}
_DESCRIPTION = (
    "Forecasts of mlspec over HTTP. An error that is found before a path's own checks has the form of Google's APIs."
)
# HTTP status: when the server answers with it.
_ERRORS = {
    400: "The request is invalid: the message says what was expected.",
    401: "The server asks for a token, and the request does not carry it.",
    404: "There is no such forecast.",
    408: "The body was not sent in time.",
    413: "The body is too large.",
    415: "The body does not say that it is JSON in UTF-8.",
    421: "The request names a host that is not this server's.",
    500: "A version could not predict; the server's log says why.",
    503: "The forecast is not ready, or there was no answer in time.",
}
_READS = (400, 401, 421)  # what every path may answer with
_BODIES = (*_READS, 404, 408, 413, 415, 500, 503)


def make_document(
    forecasts: Mapping[str, CachedForecast | str], platform_predict: str | None = None, *, with_what_if: bool = False
) -> Document:
    """Return the document for the forecasts that are served now; `platform_predict` is the path that a platform asked for."""
    paths: Document = {f"/v1/models/{name}:predict": _predict_path(name, cached) for name, cached in forecasts.items()}
    if len(forecasts) == 1:
        ((name, cached),) = forecasts.items()
        only = dict.fromkeys(path for path in ("/predict", platform_predict) if path)
        paths |= {path: _predict_path(name, cached, f" at {path}") for path in only}
    if with_what_if:
        paths |= {
            f"/v1/models/{name}:whatIf": _what_if_path(name, cached)
            for name, cached in forecasts.items()
            if isinstance(cached, CachedForecast) and known_covariates(cached.spec)
        }
    _, schemas = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "mlspec", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths | {"/v1/timeseries/forecast": _kserve_path(forecasts)} | _reading_paths(list(forecasts)),
        "components": {
            "schemas": {**schemas["$defs"], "Error": _error_schema()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }  # fmt: skip


def _predict_path(name: str, cached: CachedForecast | str, where: str = "") -> Document:
    """Return the path item of predictions; a forecast that is not loaded has no columns yet."""
    summary = f"Predictions of {name}, in Vertex AI's contract{where}"
    if isinstance(cached, str):
        operation = _operation(summary, _ANY, _BODIES) | {"description": f"Not ready: {cached}"}
        return {"post": operation | _json_body({"schema": _ANY})}
    body: Document = {"schema": request_schema(cached.spec)}
    if (example := _example_instance(cached)) is not None:
        body["example"] = {"instances": [example]}
    return {"post": _operation(summary, response_schema(cached.spec), _BODIES) | _json_body(body)}


def _what_if_path(name: str, cached: CachedForecast) -> Document:
    """Return the path item of what-ifs of a forecast with known covariates."""
    summary = f"What the forecast {name} would be with other values of known covariates; nothing is recorded"
    operation = _operation(summary, _reference("WhatIfResponse"), _BODIES)
    return {"post": operation | _json_body({"schema": what_if_schema(cached.spec)})}


def _example_instance(cached: CachedForecast) -> Document | None:
    """Return an instance that names a series; None where its key does not tell its columns."""
    columns, key = cached.spec.dataset.series, _first_series(cached.any_predictions)
    if key is None or (len(columns) > 1 and "\\" in key):
        return None
    values = key.split("/") if len(columns) > 1 else [key]
    return dict(zip(columns, values, strict=False))


def _first_series(predictions: Predictions | None) -> str | None:
    return next(iter(predictions.positions), None) if predictions else None


def _kserve_path(forecasts: Mapping[str, CachedForecast | str]) -> Document:
    operation = _operation("Forecasts in KServe's time series contract", _reference("ForecastResponse"), ())
    either = {"anyOf": [_reference("KserveErrorResponse"), _reference("Error")]}
    operation["responses"] |= {str(code): _json_answer(_ERRORS[code], either) for code in _BODIES}
    body: Document = {"schema": _reference("ForecastRequest")}
    examples = (
        _kserve_example(name, cached) for name, cached in forecasts.items() if isinstance(cached, CachedForecast)
    )
    if example := next(filter(None, examples), None):
        body["example"] = example
    return {"post": operation | _json_body(body)}


def _kserve_example(name: str, cached: CachedForecast) -> Document | None:
    words, series = frequency_words(cached.spec), _first_series(cached.any_predictions)
    if not words or series is None:
        return None
    one = {"type": "univariate_time_series", "name": series, "series": [], "frequency": words[0]}
    quantiles = [float(f"{quantile:g}") for quantile in cached.spec.model.quantiles]
    return {"model": name, "inputs": [one], "options": {"horizon": cached.spec.model.horizon, "quantiles": quantiles}}


def _reading_paths(names: Sequence[str]) -> Document:
    """Return the paths that are read by GET."""
    live = {"type": "object", "properties": {"live": {"const": True}}, "required": ["live"]}
    forecasts = {"type": "object", "additionalProperties": {"type": "string"}}
    ready = {
        "type": "object",
        "properties": {"ready": {"type": "boolean"}, "forecasts": forecasts},
        "required": ["ready"],
    }
    readiness = _operation(
        "Whether every forecast that serves has predictions, for probes; with the token also why not", ready, _READS
    )
    readiness["responses"]["503"] = _json_answer(
        "A forecast that serves has no predictions.", {"anyOf": [ready, _reference("Error")]}
    )
    one = _operation(
        "One forecast: its version, columns and limits", _reference("ModelDescription"), (*_READS, 404, 503)
    )
    schema: Document = {"type": "string", **({"enum": list(names)} if names else {})}
    one["parameters"] = [{"name": "name", "in": "path", "required": True, "schema": schema}]
    return {
        "/v1/models": {"get": _operation("The forecasts that are served", _reference("ModelList"), _READS)},
        "/v1/models/{name}": {"get": one},
        "/healthz": {"get": _operation("Whether the server is alive, for probes", live, _READS)},
        "/readyz": {"get": readiness},
        "/metrics": {"get": _operation("Metrics, for Prometheus", {"type": "string"}, _READS, "text/plain")},
        "/openapi.json": {"get": _operation("This document", _ANY, _READS)},
        "/docs": {"get": _operation("This document as a page", {"type": "string"}, _READS, "text/html")},
    }


def _operation(summary: str, answer: Document, errors: Iterable[int], kind: str = "application/json") -> Document:
    responses = {str(code): _json_answer(_ERRORS[code], _reference("Error")) for code in errors}
    return {
        "summary": summary,
        "responses": {"200": {"description": "The answer.", "content": {kind: {"schema": answer}}}} | responses,
    }


def _json_body(content: Document) -> Document:
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def _json_answer(description: str, schema: Document) -> Document:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _reference(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _error_schema() -> Document:
    """Return the schema of an error in the form of Google's APIs."""
    parts = {
        "code": {"type": "integer"}, "message": {"type": "string"},
        "status": {"enum": sorted({*STATUS.values(), "INVALID_ARGUMENT"})},
    }  # fmt: skip
    fault = {"type": "object", "properties": parts, "required": list(parts), "additionalProperties": False}
    return {"type": "object", "properties": {"error": fault}, "required": ["error"], "additionalProperties": False}
