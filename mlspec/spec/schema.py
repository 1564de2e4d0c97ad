"""JSON Schema of the spec language (2020-12), for editors: made from the models, so it cannot say anything else."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from mlspec.spec.example import example_at
from mlspec.spec.explain import KINDS, places
from mlspec.spec.reader import read

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_BASE = "https://mlspec.dev/schema/v1"
_DEFS = "#/$defs/"
_PARTIAL = "Partial"
# What an overlay cannot say: what the document is, and overlays.
_FIXED = ("apiVersion", "kind", "targets")

Schema = dict[str, Any]


class _Untitled(GenerateJsonSchema):
    """Without a title for every field, which would only say its name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  (pydantic's own signature)
        """Set none."""
        return False


def json_schema(kind: str) -> Schema:
    """Return the schema of `forecast`, `project`, or `any` of the two."""
    if kind != "any":
        return {"$schema": DIALECT, "$id": f"{_BASE}/{kind}.json", **_document(kind)}
    both = [_document(each) for each in KINDS]
    definitions = {name: value for schema in both for name, value in schema.pop("$defs").items()}
    return {"$schema": DIALECT, "$id": f"{_BASE}/mlspec.json", "oneOf": both, "$defs": definitions}


def _document(kind: str) -> Schema:
    """Return one document's schema, with the partial Forecast that stands in it as an overlay."""
    schema, whole = _made(kind), _made("forecast")
    definitions = {**whole.pop("$defs"), **schema.pop("$defs", {})}
    partials = {f"{_PARTIAL}{name}": _partial(value) for name, value in definitions.items()}
    overlay = _partial(whole)
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
    used = _reached(schema, everything)
    return {**schema, "$defs": {name: value for name, value in everything.items() if name in used}}


def _made(kind: str) -> Schema:
    """Return pydantic's schema of a document, under the names that a user writes, with an example for each field."""
    root, text, _, _ = KINDS[kind]
    schema: Schema = root.model_json_schema(by_alias=True, mode="validation", schema_generator=_Untitled)
    _close(schema)
    example = read(text).value
    for path, part, key in places(kind):
        owner = schema if part is root else schema["$defs"][part.__name__]
        value = example_at(example, path.split("."))
        if value is not None:
            owner["properties"][key].setdefault("examples", [value])
    return {**schema, "examples": [example]}


def _close(value: Any) -> None:
    """Refuse keys of another form than the one that is asked for, as validation does."""
    if isinstance(value, dict):
        if "patternProperties" in value:
            value["additionalProperties"] = False
        for each in value.values():
            _close(each)
    elif isinstance(value, list):
        for each in value:
            _close(each)


def _partial(value: Any) -> Any:
    """Return a schema of any part of what `value` is a schema of: nothing is required, but every word is as strict.

    Lists are left as they are: an overlay's list takes the place of the other, so its entries are whole.
    """
    if isinstance(value, list):
        return [_partial(each) for each in value]
    if not isinstance(value, dict):
        return value
    loose = {
        key: each if key == "items" else _partial(each)
        for key, each in value.items()
        if not (key == "required" and "properties" in value)
    }
    if isinstance(value.get("$ref"), str):
        loose["$ref"] = value["$ref"].replace(_DEFS, f"{_DEFS}{_PARTIAL}")
    return loose


def _reached(schema: Schema, definitions: Schema) -> set[str]:
    """Return the names of all definitions that a schema refers to, directly or through others."""
    found: set[str] = set()
    todo: list[Any] = [schema]
    while todo:
        value = todo.pop()
        if isinstance(value, list):
            todo += value
        elif isinstance(value, dict):
            name = str(value.get("$ref", "")).removeprefix(_DEFS)
            if name and name not in found:
                found.add(name)
                todo.append(definitions[name])
            todo += value.values()
    return found
