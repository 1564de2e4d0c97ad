"""Describes a field in words: its type with its limits, its allowed words, its default. Read from pydantic's fields."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlspec.spec import fields
from mlspec.spec.duration import format_duration
from mlspec.spec.error_messages import parts_in

_SCALARS: dict[Any, str] = {
    str: "text", int: "a whole number", float: "a number", bool: "true or false",
    Any: "any value", timedelta: "a duration (90s, 15m, 24h, 3d, 2w, 1y)",
}  # fmt: skip
_PLURALS = {"text": "texts", "a whole number": "whole numbers", "a number": "numbers"}
_BOUNDS = (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than"))


def type_words(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Return a type in words, with its limits."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return type_words(inner, [*metadata, *more])
    if get_origin(annotation) in (Union, types.UnionType):
        known = [item for item in get_args(annotation) if item is not type(None)]
        if len(known) == 1:
            return type_words(known[0], metadata)
    limits = list(_flat_metadata(metadata))
    pattern = next((text_pattern for item in limits if (text_pattern := getattr(item, "pattern", None))), None)
    if pattern in fields.PATTERNS:
        return fields.PATTERNS[pattern]
    words = _plain_words(annotation)
    bounds = [
        f"{say} {value:g}" for key, say in _BOUNDS for item in limits if (value := getattr(item, key, None)) is not None
    ]
    return ", ".join([words, *bounds, *_length_words(limits, annotation)])


def _flat_metadata(metadata: Sequence[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from _flat_metadata(item.metadata) if isinstance(item, FieldInfo) else (item,)


def _length_words(limits: Sequence[Any], annotation: Any) -> list[str]:
    unit = "characters" if annotation is str else "entries"
    least = max((length for limit in limits if (length := getattr(limit, "min_length", None))), default=0)
    most = min((length for limit in limits if (length := getattr(limit, "max_length", None))), default=None)
    if most is None:
        return []
    if least == most:
        return [f"{most} {unit}"]
    return [f"{least} to {most} {unit}" if least else f"at most {most} {unit}"]


def _plain_words(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}" if len(arguments) > 1 else str(arguments[0])
    if origin in (Union, types.UnionType):
        inner_words = [type_words(argument) for argument in arguments if argument is not type(None)]
        return " or ".join(dict.fromkeys(inner_words))
    if origin is tuple:
        return _list_words(arguments[0])
    if origin is dict:
        return (
            "a mapping"
            if arguments[1] in (Any, dict[str, Any])
            else f"a mapping from {' to '.join(map(type_words, arguments))}"
        )
    return "a mapping"


def _list_words(entry: Any) -> str:
    if parts_in(entry):
        return "a list of mappings"
    words, comma, limits = type_words(entry).partition(", ")
    if words in _PLURALS:
        return f"a list of {_PLURALS[words]}{f', each {limits}' if comma and 'characters' not in limits else ''}"
    return f"a list, each entry {words}{comma}{limits}"


def allowed_words(annotation: Any) -> tuple[str, ...]:
    """Return the allowed words of a value, through lists and unions; empty if any text or number is allowed."""
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    if get_origin(annotation) in (Annotated, Union, types.UnionType, tuple):
        return tuple(dict.fromkeys(word for argument in get_args(annotation) for word in allowed_words(argument)))
    return ()


def default_words(field: FieldInfo) -> str | None:
    """Return a default as a spec would write it; None if there is none, or if the parts below have their own."""
    if field.is_required() or field.default is None or isinstance(field.default, BaseModel):
        return None
    return _spec_text(field.default)


def _spec_text(value: Any) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_none=True)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_spec_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_spec_text, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'
