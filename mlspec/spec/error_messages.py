"""Translates pydantic's errors for the author of a spec: what is wrong, what was expected, which name is nearest."""

from __future__ import annotations

import re
import types
import unicodedata
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mlspec.spec import fields
from mlspec.spec.calendar import frequency_problem
from mlspec.spec.faults import Key, Path, Problem, did_you_mean, has_key, nearest_word
from mlspec.spec.hints import suggest_share, suggest_value
from mlspec.spec.part import Part

_KINDS: tuple[tuple[type, str], ...] = (
    (int, "a whole number"), (float, "a number"), (str, "text"), (list, "a list"), (dict, "a mapping"),
)  # fmt: skip
_EXPECTED = {
    "string_type": "text", "int_type": "a whole number", "int_from_float": "a whole number", "float_type": "a number",
    "bool_type": "true or false", "dict_type": "a mapping", "model_type": "a mapping", "tuple_type": "a list",
    "model_attributes_type": "a mapping", "list_type": "a list", "int_parsing": "a whole number", "float_parsing": "a number",
}  # fmt: skip
_CURLY = "“”„‘’‚"
# Enough errors for one round of corrections. The limit also keeps a hostile file from starting a hundred thousand name
# searches.
MOST = 100


def validation_problems(error: ValidationError, model: type[Part], value: Mapping[str, Any]) -> list[Problem]:
    """Return one problem for each error, at its path in the document."""
    details = _without_echoes(error.errors(include_url=False))
    typed_problems = [(detail["type"], _to_problem(detail, model, value)) for detail in details[:MOST]]
    # pydantic does not count a refused entry, so a list of one wrong entry is "too short" too. Only the first error is
    # reported.
    inner = {problem.path[:depth] for _, problem in typed_problems for depth in range(len(problem.path))}
    shown_problems = [problem for kind, problem in typed_problems if kind != "too_short" or problem.path not in inner]
    if len(details) > MOST:
        shown_problems.append(
            Problem((), "too-many", f"{len(details) - MOST} more errors are not shown", "correct these first")
        )
    return shown_problems


def _without_echoes(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out the error of a missing key if an unknown key is its misspelling: that error names it already."""
    unknown: dict[tuple[Key, ...], list[str]] = {}
    for detail in details[:MOST]:
        if detail["type"] == "extra_forbidden":
            unknown.setdefault(detail["loc"][:-1], []).append(str(detail["loc"][-1]))
    return [
        detail
        for detail in details
        if detail["type"] != "missing" or not _near_one(str(detail["loc"][-1]), unknown.get(detail["loc"][:-1], []))
    ]


# What people look for elsewhere, and where it is.
_ELSEWHERE: dict[tuple[Key, ...], str] = {
    ("model", "holidays"): "write it under dataset.covariates: `holidays: BR`",
    ("dataset", "source", "wide"): "write `layout: wide`; dataset.time names the column of the periods",
}


def _near_one(name: str, words: list[str]) -> bool:
    return any(nearest_word(word, [name]) for word in words)


def _to_problem(detail: ErrorDetails, model: type[Part], value: Mapping[str, Any]) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    path = _document_path(detail["loc"], value, kind)
    if kind == "missing":
        return Problem(path[:-1], "missing-key", f"'{path[-1]}' is required and missing", None, on_key=True)
    if kind == "extra_forbidden":
        hint = _ELSEWHERE.get(path) or did_you_mean(str(path[-1]), key_names(model, path[:-1], value))
        return Problem(path, "unknown-key", f"unknown key '{path[-1]}'", hint, on_key=True)
    if kind == "union_tag_not_found":
        return Problem(path, "missing-key", f"{context['discriminator']} is required and missing", None)
    if kind in ("literal_error", "union_tag_invalid"):
        return _not_one_of(kind, path, detail, context)
    if kind in _EXPECTED:
        return Problem(
            path,
            "wrong-type",
            f"expected {_EXPECTED[kind]}, found {_describe_value(detail['input'])}",
            suggest_value(_EXPECTED[kind], detail["input"]),
        )
    say = _SENTENCES.get(kind)
    message = say(context) if say else str(detail["msg"]).removeprefix("Value error, ")
    return Problem(
        path,
        "wrong-value",
        message if kind == fields.PACKAGE_METRIC else f"{_quote_value(detail['input'])}{message}",
        context.get("hint")
        or suggest_share(context, detail["input"])
        or _number_instead(detail)
        or _plain_letters(detail),
        on_key="[key]" in detail["loc"],
    )


def _number_instead(detail: ErrorDetails) -> str | None:
    # Text is read as a duration if a number or a duration is allowed. A value such as '20%' was meant as a number.
    return suggest_value("a number", detail["input"]) if detail["loc"][-1] == "text" else None


def _plain_letters(detail: ErrorDetails) -> str | None:
    # A program for documents writes curly quotes, which belong to the value in YAML. A frequency may be an accented word.
    value = detail["input"]
    if not isinstance(value, str) or value.isascii():
        return None
    if value[0] in _CURLY and value[-1] in _CURLY:
        return f"write straight quotes, or none: {value[1:-1]}"
    plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode()
    problem = frequency_problem(plain) if detail["loc"][-1] == "frequency" else None
    return problem and problem[1]


def _not_one_of(kind: str, path: Path, detail: ErrorDetails, context: Mapping[str, Any]) -> Problem:
    names = re.findall(r"'([^']*)'", str(context["expected" if kind == "literal_error" else "expected_tags"]))
    given = detail["input"] if kind == "literal_error" else context["tag"]
    where = path if kind == "literal_error" else (*path, str(context["discriminator"]).strip("'"))
    near = nearest_word(given, names) if isinstance(given, str) else None
    listed = f"'{names[0]}'" if len(names) == 1 else f"one of {', '.join(names)}"
    return Problem(
        where, "wrong-value", f"{_quote_value(given)}expected {listed}", f"did you mean '{near}'?" if near else None
    )


_SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "string_pattern_mismatch": lambda context: f"expected {fields.PATTERNS.get(context['pattern'], 'another form')}",
    "string_too_short": lambda context: f"expected at least {_count_words(context['min_length'], 'character')}",
    "string_too_long": lambda context: f"expected at most {_count_words(context['max_length'], 'character')}",
    "greater_than": lambda context: f"expected more than {context['gt']:.15g}",
    "greater_than_equal": lambda context: f"expected at least {context['ge']:.15g}",
    "less_than": lambda context: f"expected less than {context['lt']:.15g}",
    "less_than_equal": lambda context: f"expected at most {context['le']:.15g}",
    "too_short": lambda context: (
        f"expected at least {_count_words(context['min_length'], 'entry')}, found {context['actual_length']}"
    ),
    "too_long": lambda context: (
        f"expected at most {_count_words(context['max_length'], 'entry')}, found {context['actual_length']}"
    ),
    "finite_number": lambda _context: "expected a finite number",
    "value_error": lambda context: str(context["error"]),
}


def _document_path(loc: tuple[str | int, ...], value: Any, kind: str) -> Path:
    """Return the path in the document: pydantic's path without the tags of unions, which are not in the file."""
    keys: list[str | int] = []
    for index, part in enumerate(loc):
        if has_key(value, part):
            value = value[part]
        elif not (kind == "missing" and index == len(loc) - 1):
            continue
        if part != "[key]":
            keys.append(part)
    return tuple(keys)


def _describe_value(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return _shorten_value(value)
    name = next((name for kind, name in _KINDS if isinstance(value, kind)), "something else")
    return name if isinstance(value, list | dict) else f"{name}: {_shorten_value(value)}"


def _quote_value(value: Any) -> str:
    return f"{_shorten_value(value)}: " if isinstance(value, str | int | float) else ""


def _shorten_value(value: Any) -> str:
    text = {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    text = text if len(text) <= 40 else f"{text[:40]}…"
    return f"'{text}'" if isinstance(value, str) else text


def _count_words(number: int, noun: str) -> str:
    return (
        f"{number} {noun}"
        if number == 1
        else f"{number} {noun.removesuffix('y')}ies"
        if noun[-1] == "y"
        else f"{number} {noun}s"
    )


def key_names(model: type[Part], path: Path, value: Any) -> list[str]:
    """Return the keys that are allowed at `path` of a document; empty if every key is."""
    part = part_at(model, path, value)
    return [field.alias or name for name, field in part.model_fields.items()] if part else []


def part_at(model: type[Part], path: Path, value: Any) -> type[Part] | None:
    """Return the part of the language at a path of a document; None for scalars and free mappings."""
    parts: list[type[Part]] = [model]
    for step in path:
        value = value[step] if has_key(value, step) else None
        if isinstance(step, int):
            continue
        field = next((field for name, field in _part_fields(parts) if step in (name, field.alias)), None)
        if field is None:
            return None
        parts = parts_in(field.annotation)
        if len(parts) > 1 and isinstance(value, dict):
            parts = [part for part in parts if tag_of(part) in (value.get("kind"), value.get("type"))]
    if len(parts) > 1 and isinstance(value, dict):
        parts = [part for part in parts if tag_of(part) in (value.get("kind"), value.get("type"))]
    return parts[0] if len(parts) == 1 else None


def _part_fields(parts: list[type[Part]]) -> list[tuple[str, Any]]:
    return [pair for part in parts for pair in part.model_fields.items()]


def parts_in(annotation: Any) -> list[type[Part]]:
    """Return the parts that an annotation names, through lists, unions and metadata."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    if get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, dict, list):
        return [part for inner in get_args(annotation) for part in parts_in(inner)]
    return []


def tag_of(part: type[Part]) -> str | None:
    """Return the value of `kind` or `type` that identifies this part in a union, or None."""
    for name in ("kind", "type"):
        field = part.model_fields.get(name)
        if field is not None and get_origin(field.annotation) is Literal:
            return str(get_args(field.annotation)[0])
    return None
