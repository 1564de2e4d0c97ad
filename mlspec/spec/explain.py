"""Explains a field: type, default, limits, description, example, and the keys below it. Read from the models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_origin

from pydantic.fields import FieldInfo

from mlspec.spec import example
from mlspec.spec.error_messages import parts_in, tag_of
from mlspec.spec.faults import nearest_word
from mlspec.spec.forecast import Forecast
from mlspec.spec.part import Part
from mlspec.spec.project import Project
from mlspec.spec.type_text import allowed_words, default_words, type_words

# The documents of the language: the model, the example, the field that may contain any part of a Forecast, and the number of
# the user's own names between that field and the part.
KINDS: dict[str, tuple[type[Part], str, str, int]] = {
    "forecast": (Forecast, example.FORECAST, "targets", 1),
    "project": (Project, example.PROJECT, "defaults", 0),
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """One field of the language. `path` is "" for the whole document.

    `default` is None if there is none, `values` are the allowed words (empty if any value is allowed), `below` maps the keys
    under the field to their descriptions.
    """

    path: str
    type: str
    required: bool
    default: str | None
    values: tuple[str, ...]
    description: str
    example: str | None
    below: dict[str, str]


def explain_field(path: str, kind: str = "forecast") -> Explanation | None:
    """Return the explanation of a dotted path in one kind of document, or None if there is no such field.

    The path may contain or leave out indices (`alerts[0].metric`, `alerts.metric`) and the user's own names, such as the column
    in `dataset.checks.range.units.min` or the target in `targets.prod.model`.
    """
    root, text, overlay, own = KINDS[kind]
    words = re.sub(r"\[[0-9]*\]", "", path).split(".") if path else []
    if words[:1] == [overlay] and len(words) > 1 + own:
        inner = explain_field(".".join(words[1 + own :]))
        return None if inner is None else replace(inner, path=path, required=False)
    parts: list[type[Part]] = [root]
    field: FieldInfo | None = None
    for word in words:
        step = _next_parts(parts, field, word)
        if step is None:
            return None
        parts, field = step
    return _build_explanation(path, parts, field, example.example_at(example.load_as_text(text), words))


def _next_parts(
    parts: list[type[Part]], field: FieldInfo | None, word: str
) -> tuple[list[type[Part]], FieldInfo | None] | None:
    """Go one word down: to the part of that kind, to the field of that name, or past a name of the user's own."""
    tagged = [part for part in parts if tag_of(part) == word]
    if tagged and len(parts) > 1:
        return tagged, None
    below = next((info for part in parts for key, info in fields_of(part) if key == word), None)
    if below is not None:
        return parts_in(below.annotation), below
    return (parts, None) if parts and field is not None and get_origin(field.annotation) is dict else None


def _build_explanation(path: str, parts: list[type[Part]], field: FieldInfo | None, value: Any) -> Explanation:
    below = _keys_below(parts)
    if field is None:
        quoted = example.to_yaml(value) if path and value is not None else None
        return Explanation(path, "a mapping", not path, None, (), _doc_sentence(parts[0]), quoted, below)
    value = next(iter(field.examples or ()), value)
    quoted = None if value is None else example.to_yaml(value, path.rpartition(".")[2])
    return Explanation(
        path, type_words(field.annotation, field.metadata), field.is_required(), default_words(field),
        allowed_words(field.annotation),
        field.description or "", quoted, below,
    )  # fmt: skip


def all_paths(kind: str = "forecast") -> list[str]:
    """Return every path that can be explained, in the order of the language."""
    return [path for path, _, _ in _walk_fields(KINDS[kind][0], "")]


def field_places(kind: str) -> list[tuple[str, type[Part], str]]:
    """Return (path, the part that the field is of, its key) for every field."""
    return [(path, part, key) for path, part, key in _walk_fields(KINDS[kind][0], "") if key]


def _walk_fields(root: type[Part], prefix: str) -> Iterator[tuple[str, type[Part], str]]:
    """Yield (path, part, key) for each field, and (path, part, "") for each part of a union."""
    for key, field in fields_of(root):
        path = f"{prefix}{key}"
        yield path, root, key
        parts = parts_in(field.annotation)
        for part in parts:
            inside = path if len(parts) == 1 else f"{path}.{tag_of(part)}"
            if len(parts) > 1:
                yield inside, part, ""
            yield from _walk_fields(part, f"{inside}.")


def nearest_path(path: str, kind: str = "forecast") -> str | None:
    """Return the path that was probably meant: one with a similar spelling, or one with the same last word."""
    known = all_paths(kind)
    parent, _, last = path.rpartition(".")
    siblings = [other for other in known if other.rpartition(".")[0] == parent]
    same = [other for other in known if other.rpartition(".")[2] == last]
    return nearest_word(path, siblings) or nearest_word(path, known) or next(iter(same), None)


def fields_of(part: type[Part]) -> list[tuple[str, FieldInfo]]:
    """Return the keys of a part, as a user writes them, with pydantic's field of each."""
    return [(field.alias or name, field) for name, field in part.model_fields.items()]


def _keys_below(parts: list[type[Part]]) -> dict[str, str]:
    if len(parts) == 1:
        return {key: field.description or "" for key, field in fields_of(parts[0])}
    return {tag: _doc_sentence(part) for part in parts if (tag := tag_of(part))}


def _doc_sentence(part: type[Part]) -> str:
    return " ".join((part.__doc__ or "").split())
