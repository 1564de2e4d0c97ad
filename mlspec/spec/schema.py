"""JSON Schema of the spec language (2020-12), for editors: made from the models, so it cannot say anything else."""

from __future__ import annotations

import copy
from typing import Any

from mlspec.spec.forecast import Forecast
from mlspec.spec.project import Project

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_BASE = "https://mlspec.dev/schema/v1"


def json_schema(kind: str) -> dict[str, Any]:
    """Return the schema of `forecast`, `project`, or `any` of the two."""
    if kind == "any":
        both = [json_schema("forecast"), json_schema("project")]
        definitions = {key: value for schema in both for key, value in schema.pop("$defs").items()}
        return {
            "$schema": DIALECT,
            "$id": f"{_BASE}/mlspec.json",
            "oneOf": [_bare(schema) for schema in both],
            "$defs": definitions,
        }
    schema = _of(Forecast if kind == "forecast" else Project)
    partial = _partial(_of(Forecast))
    definitions = schema.setdefault("$defs", {})
    definitions.update({f"Partial{key}": value for key, value in partial.pop("$defs").items()})
    definitions["PartialForecast"] = partial
    reference = {"$ref": "#/$defs/PartialForecast"}
    if kind == "forecast":
        targets = schema["properties"]["targets"]
        schema["properties"]["targets"] = {
            "type": "object",
            "description": targets["description"],
            "additionalProperties": reference,
        }
    else:
        defaults = schema["properties"]["defaults"]
        schema["properties"]["defaults"] = {
            **{key: defaults[key] for key in ("description",) if key in defaults},
            **reference,
        }
    return {"$schema": DIALECT, "$id": f"{_BASE}/{kind}.json", **schema}


def _of(model: type[Forecast] | type[Project]) -> dict[str, Any]:
    # What a user writes, under the names that a user writes.
    return model.model_json_schema(by_alias=True, mode="validation")


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("$schema", "$id")}


def _partial(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of any part of a document: nothing is required, but words are as strict as before."""

    def loosen(value: Any) -> Any:
        if isinstance(value, dict):
            loose = {
                key: loosen(inner) for key, inner in value.items() if not (key == "required" and "properties" in value)
            }
            if str(loose.get("$ref", "")).startswith("#/$defs/"):
                loose["$ref"] = loose["$ref"].replace("#/$defs/", "#/$defs/Partial")
            mapping = (
                loose.get("discriminator", {}).get("mapping") if isinstance(loose.get("discriminator"), dict) else None
            )
            if mapping:
                loose["discriminator"]["mapping"] = {
                    key: ref.replace("#/$defs/", "#/$defs/Partial") for key, ref in mapping.items()
                }
            return loose
        return [loosen(inner) for inner in value] if isinstance(value, list) else value

    loose: dict[str, Any] = loosen(copy.deepcopy(schema))
    loose["properties"] = {
        key: value for key, value in loose["properties"].items() if key not in ("targets", "apiVersion", "kind")
    }
    loose["$defs"] = {
        # Entries of a list replace the list, so they are whole: what tells them apart stays required.
        key: (
            {**value, "required": schema["$defs"][key]["required"]} if "kind" in value.get("properties", {}) else value
        )
        for key, value in loose["$defs"].items()
    }
    return loose
