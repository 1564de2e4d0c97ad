"""The JSON Schemas of one forecast's request and answer in Vertex AI's contract, for the OpenAPI document.

Both follow from the spec, as the checks of `instances` do; a test holds that the schema and the checks accept the same bodies.
"""

from __future__ import annotations

from typing import Any

from mlspec.spec.forecast import Forecast
from mlspec.spec.output_columns import METHOD
from mlspec.web.instances import MOST

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}


def request_schema(spec: Forecast) -> Schema:
    """Return the schema of a body that asks for predictions. That a series exists is not part of it."""
    horizon: Schema = {
        "type": ["integer", "null"], "minimum": 1, "maximum": spec.model.horizon, "description": "Periods to forecast.",
    }  # fmt: skip
    columns = {name: {"type": ["string", "number"]} for name in spec.dataset.series}
    instance = _closed_object({"horizon": horizon, **columns}, required=list(columns))
    nothing: Schema = {"enum": [None, False, 0, "", []], "description": "An empty value is read as no parameters."}
    body = {
        "instances": {"type": "array", "minItems": 1, "maxItems": MOST, "items": instance},
        "parameters": {"anyOf": [_closed_object({"horizon": horizon}), nothing]},
    }
    return _closed_object(body, required=["instances"])


def response_schema(spec: Forecast) -> Schema:
    """Return the schema of the predictions."""
    numbers = {name: {"type": "number"} for name in ("mean", *(f"q{quantile:g}" for quantile in spec.model.quantiles))}
    period = _closed_object({spec.dataset.time: _TEXT, **numbers})
    periods: Schema = {
        "type": "array", "minItems": 1, "maxItems": spec.model.horizon, "items": _require_all(period),
    }  # fmt: skip
    columns = {name: {"type": ["string", "number"]} for name in spec.dataset.series}
    made_by = {"cutoff": _TEXT, "version": _TEXT, **({METHOD: _TEXT} if spec.dataset.tells_methods else {})}
    prediction = _require_all(_closed_object({**columns, **made_by, "forecast": periods}))
    answer = {
        "predictions": {"type": "array", "minItems": 1, "maxItems": MOST, "items": prediction},
        "deployedModelId": _TEXT, "modelDisplayName": _TEXT,
        "modelVersionId": {**_TEXT, "description": "Only where one version made all of them."},
    }  # fmt: skip
    return _closed_object(answer, required=["predictions", "deployedModelId", "modelDisplayName"])


def _closed_object(properties: Schema, required: list[str] | None = None) -> Schema:
    needed = {"required": required} if required else {}
    return {"type": "object", "properties": properties, **needed, "additionalProperties": False}


def _require_all(schema: Schema) -> Schema:
    return {**schema, "required": list(schema["properties"])}
