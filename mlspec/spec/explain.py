"""What a field means: type, default, limits, description, example, and what stands below it. Read from the models."""

from __future__ import annotations

import types
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from mlspec.spec import fields
from mlspec.spec.duration import format_duration
from mlspec.spec.faults import nearest
from mlspec.spec.forecast import Forecast, Part
from mlspec.spec.words import parts_in, tag_of


@dataclass(frozen=True, slots=True)
class Explanation:
    """One field of the language. `default` is None where there is none; `below` maps the keys under it to their sentences."""

    path: str
    type: str
    required: bool
    default: str | None
    description: str
    examples: tuple[str, ...]
    below: dict[str, str]


def explain(path: str, root: type[Part] = Forecast) -> Explanation | None:
    """Return what a dotted path means, or None where there is no such field. Indices are left out: `alerts.metric`."""
    if not path:
        return Explanation("", "a mapping", True, None, _doc(root), (), _below([root]))
    found: list[type[Part]] = [root]
    field: FieldInfo | None = None
    part: type[Part] | None = None
    for word in path.replace("[]", "").split("."):
        part = next((each for each in found if tag_of(each) == word), None)
        if part is not None and len(found) > 1:
            found, field = [part], None
            continue
        field = next((info for each in found for key, info in _fields(each) if key == word), None)
        if field is None:
            return None
        found = parts_in(field.annotation)
    if field is None:
        return Explanation(path, "a mapping", False, None, _doc(found[0]), (), _below(found))
    return Explanation(
        path, type_words(field.annotation, field.metadata), field.is_required(), _default(field), field.description or "",
        tuple(map(str, field.examples or ())), _below(found),
    )  # fmt: skip


def all_paths(root: type[Part] = Forecast, prefix: str = "") -> list[str]:
    """Return every path that can be explained, in the order of the language."""
    found: list[str] = []
    for key, field in _fields(root):
        path = f"{prefix}{key}"
        found.append(path)
        parts = parts_in(field.annotation)
        if len(parts) == 1:
            found += all_paths(parts[0], f"{path}.")
        for part in parts if len(parts) > 1 else ():
            found += [f"{path}.{tag_of(part)}", *all_paths(part, f"{path}.{tag_of(part)}.")]
    return found


def near(path: str) -> str | None:
    """Return the path that was most likely meant."""
    known = all_paths()
    last = path.rsplit(".", 1)[-1]
    ending = [each for each in known if each.rsplit(".", 1)[-1] == last]
    return nearest(path, known) or (ending[0] if ending else None)


def _fields(part: type[Part]) -> list[tuple[str, FieldInfo]]:
    return [(field.alias or name, field) for name, field in part.model_fields.items()]


def _below(parts: list[type[Part]]) -> dict[str, str]:
    if len(parts) == 1:
        return {key: field.description or "" for key, field in _fields(parts[0])}
    return {tag: _doc(part) for part in parts if (tag := tag_of(part))}


def _doc(part: type[Part]) -> str:
    return " ".join((part.__doc__ or "").split())


def _default(field: FieldInfo) -> str | None:
    value = field.default
    if field.is_required() or value is None:
        return None
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Part):
        return None
    if isinstance(value, tuple):
        return None if value and isinstance(value[0], Part) else str(list(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


_SCALARS: dict[Any, str] = {
    str: "text", int: "a whole number", float: "a number", bool: "true or false", timedelta: "a duration (90s, 15m, 24h, 3d, 2w)",
}  # fmt: skip
_BOUNDS = (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than"))


def type_words(annotation: Any, metadata: Any = ()) -> str:
    """Return a type in words, with its limits."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return type_words(inner, [*metadata, *more])
    pattern = next((getattr(each, "pattern", None) for each in metadata if getattr(each, "pattern", None)), None)
    if pattern in fields.PATTERNS:
        return fields.PATTERNS[pattern]
    words = _plain_words(annotation)
    bounds = [
        f"{word} {getattr(each, key)}"
        for each in metadata
        for key, word in _BOUNDS
        if getattr(each, key, None) is not None
    ]
    return f"{words}, {', '.join(bounds)}" if bounds else words


def _plain_words(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}" if len(arguments) > 1 else str(arguments[0])
    if origin in (Union, types.UnionType):
        known = [type_words(each) for each in arguments if each is not type(None)]
        return " or ".join(dict.fromkeys(known))
    if origin is tuple:
        return f"a list of {type_words(arguments[0])}" if not parts_in(arguments[0]) else "a list of mappings"
    return "a mapping"
