"""JSON Schema of the spec language (2020-12), for editors. It is made from the models, so it always agrees with them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from mlspec.models.package_metrics import offered_names
from mlspec.models.package_targets import offered_types
from mlspec.spec.example import example_at
from mlspec.spec.explain import KINDS, field_places
from mlspec.spec.reader import read_yaml

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_BASE = "https://mlspec.dev/schema/v1"
_DEFS = "#/$defs/"
_PARTIAL = "Partial"
# Keys that an overlay cannot have: the kind of document, and overlays.
_FIXED = ("apiVersion", "kind", "targets")

Schema = dict[str, Any]


class _UntitledSchema(GenerateJsonSchema):
    """Leaves out the titles of fields, which would only repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  (pydantic's own signature)
        """Set no title."""
        return False


def json_schema(kind: str) -> Schema:
    """Return the schema of `forecast`, of `project`, or of `any` (either of the two)."""
    if kind != "any":
        return {"$schema": DIALECT, "$id": f"{_BASE}/{kind}.json", **_document_schema(kind)}
    documents = [_document_schema(document_kind) for document_kind in KINDS]
    definitions = {name: value for schema in documents for name, value in schema.pop("$defs").items()}
    return {"$schema": DIALECT, "$id": f"{_BASE}/mlspec.json", "oneOf": documents, "$defs": definitions}


def _document_schema(kind: str) -> Schema:
    """Return one document's schema, with the schema of the partial Forecast in its overlays or defaults."""
    schema, whole = _model_schema(kind), _model_schema("forecast")
    definitions = {**whole.pop("$defs"), **schema.pop("$defs", {})}
    partials = {f"{_PARTIAL}{name}": _partial_schema(value) for name, value in definitions.items()}
    overlay = _partial_schema(whole)
    overlay["properties"] = {key: value for key, value in overlay["properties"].items() if key not in _FIXED}
    overlay.pop("examples", None)
    everything = {**definitions, **partials, "PartialForecast": overlay}
    field = "targets" if kind == "forecast" else "defaults"
    reference = {"$ref": f"{_DEFS}PartialForecast"}
    described = {
        key: value for key, value in schema["properties"][field].items() if key in ("description", "maxProperties")
    }
    schema["properties"][field] = described | (
        {"type": "object", "additionalProperties": reference} if kind == "forecast" else reference
    )
    used = _reachable_names(schema, everything)
    return {**schema, "$defs": {name: value for name, value in everything.items() if name in used}}


def _model_schema(kind: str) -> Schema:
    """Return pydantic's schema of a document, with the keys that a user writes and an example for each field."""
    schema: Schema = json.loads(_model_schema_text(kind, (*offered_names(), *offered_types())))
    return schema


@lru_cache(maxsize=8)
def _model_schema_text(kind: str, _offered: tuple[str, ...]) -> str:
    """Return it as JSON, once for the names that installed packages bring, as they are in it.

    It takes a tenth of a second to make, and a schema of overlays has that of the forecast several times.
    """
    root, text, _, _ = KINDS[kind]
    schema: Schema = root.model_json_schema(by_alias=True, mode="validation", schema_generator=_UntitledSchema)
    _forbid_extra_keys(schema)
    example = read_yaml(text).value
    for path, part, key in field_places(kind):
        owner = schema if part is root else schema["$defs"][part.__name__]
        value = example_at(example, path.split("."))
        if value is not None:
            owner["properties"][key].setdefault("examples", [value])
    return json.dumps({**schema, "examples": [example]})


def _forbid_extra_keys(value: Any) -> None:
    """Refuse keys that do not match a mapping's pattern, as validation does."""
    if isinstance(value, dict):
        if "patternProperties" in value:
            value["additionalProperties"] = False
        for inner in value.values():
            _forbid_extra_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            _forbid_extra_keys(inner)


def _partial_schema(value: Any) -> Any:
    """Return the schema `value` without required keys; everything else is as strict.

    Lists are not changed: an overlay's list replaces the other list, so its entries are complete.
    """
    if isinstance(value, list):
        return [_partial_schema(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    loose = {
        key: inner if key == "items" else _partial_schema(inner)
        for key, inner in value.items()
        if not (key == "required" and "properties" in value)
    }
    if isinstance(value.get("$ref"), str):
        loose["$ref"] = value["$ref"].replace(_DEFS, f"{_DEFS}{_PARTIAL}")
    return loose


def _reachable_names(schema: Schema, definitions: Schema) -> set[str]:
    """Return the names of all definitions that a schema refers to, directly or through others."""
    names: set[str] = set()
    todo: list[Any] = [schema]
    while todo:
        value = todo.pop()
        if isinstance(value, list):
            todo += value
        elif isinstance(value, dict):
            name = str(value.get("$ref", "")).removeprefix(_DEFS)
            if name and name not in names:
                names.add(name)
                todo.append(definitions[name])
            todo += value.values()
    return names
