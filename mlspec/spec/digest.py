"""What the digests of a spec are made of, and the digest itself: the one place that says which words of a spec count.

A digest follows from what the user said. A key that came into the language after digests were first recorded is left out while its
value is the default, so a new key changes no digest of a spec that does not use it. The keys of the first release are written with
their defaults, as they were then: digests that it recorded stay true (docs/decisions/0018).
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from mlspec.spec.error_messages import parts_in, tag_of
from mlspec.spec.first_keys import FIRST_KEYS
from mlspec.spec.forecast import Forecast, Part

Json = Any  # None, bool, int, finite float, str, list and dict of the same
# How an empty value that the user gave is written, since a table of flat keys drops what is empty (`plan.fields.flatten`). None of
# these is a value that the key could have: where text may stand no list may, and the other way round.
_EMPTY: tuple[tuple[Json, Json], ...] = ((None, [None]), ([], "[]"), ({}, "{}"))


def resolved_json(forecast: Forecast) -> dict[str, Json]:
    """Return a validated spec as JSON with every key of the language: what steps are given, and what a release keeps."""
    value: dict[str, Json] = forecast.model_dump(mode="json", by_alias=True, exclude={"targets"})
    return value


def spec_digest(spec: Mapping[str, Json]) -> str:
    """Return the sha256 of a resolved spec, as hex: of what it says, not of how it is spelt. `spec` as `digest_values` takes it."""
    text = json.dumps(digest_values(spec), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_values(spec: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the part of a resolved spec that every digest of it is made of.

    `spec` is a validated spec as JSON (`resolved_json`), also one that an older mlspec recorded, which lacks the keys that came
    since. Keys that came after the first release are left out where they say no more than their default.
    """
    rules = _rules(Forecast)
    return _without_defaults(spec, rules, later=False) if rules else spec


def language_keys(part: type[Part], prefix: str = "") -> dict[str, Json]:
    """Return every key that has a default, with the default as JSON.

    A key is named by its path: `alerts[].by` for the entries of a list, `model.candidates[theta].season` where entries are of
    several kinds, `dataset.checks.range{}.min` for the values of a mapping.
    """
    keys: dict[str, Json] = {}
    for name, field in part.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        if not field.is_required():
            keys[key] = default_value(field)
        for place, inner in _inner_parts(field, key):
            keys |= language_keys(inner, f"{place}.")
    return keys


def default_value(field: FieldInfo) -> Json:
    """Return the default of a field as a resolved spec has it in JSON."""
    annotation: Any = field.annotation  # pydantic has taken it apart
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[annotation, *field.metadata] if field.metadata else annotation)
    value = adapter.validate_python(field.get_default(call_default_factory=True))
    return adapter.dump_python(value, mode="json", by_alias=True)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is to be done with one key. `later` says that it came after the first release, with this `default`.

    `inside` holds the rules of the parts in its value, by the parts' tags; `by_name` says that the value maps names to parts.
    """

    later: bool
    default: Json
    by_name: bool
    inside: Mapping[str | None, Mapping[str, _Rule]]


@lru_cache(maxsize=64)
def _rules(part: type[Part], prefix: str = "") -> Mapping[str, _Rule]:
    """Return the rules for the keys of a part that came later, or that hold such keys: nothing for any other."""
    rules: dict[str, _Rule] = {}
    for name, field in part.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        later = not field.is_required() and key not in FIRST_KEYS
        inside = {tag_of(inner): _rules(inner, f"{place}.") for place, inner in _inner_parts(field, key)}
        if later or any(inside.values()):
            default = default_value(field) if later else None
            rules[field.alias or name] = _Rule(later, default, _by_name(field.annotation), inside)
    return rules


def _inner_parts(field: FieldInfo, key: str) -> list[tuple[str, type[Part]]]:
    """Return the parts that a field's value may hold, each with the name of the place where it stands."""
    parts = parts_in(field.annotation)
    if _by_name(field.annotation):
        return [(f"{key}{{}}", part) for part in parts]
    if len(parts) > 1:
        return [(f"{key}[{tag_of(part)}]", part) for part in parts]
    return [(f"{key}[]" if _is_list(field.annotation) else key, part) for part in parts]


def _by_name(annotation: Any) -> bool:
    return _holds(annotation, dict)


def _is_list(annotation: Any) -> bool:
    return _holds(annotation, tuple)


def _holds(annotation: Any, container: type) -> bool:
    """Return whether a value may be such a container, through unions and metadata."""
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        return any(_holds(inner, container) for inner in get_args(annotation))
    return get_origin(annotation) is container


def _without_defaults(value: Mapping[str, Json], rules: Mapping[str, _Rule], *, later: bool) -> dict[str, Json]:
    """Return a part without its later keys that have their default. `later` says that the part itself stands in a later key."""
    found = dict(value)
    for key in rules.keys() & value.keys():
        rule = rules[key]
        if rule.later and value[key] == rule.default:
            del found[key]
        else:
            found[key] = _inside(value[key], rule, later=later or rule.later)
    return found


def _inside(value: Json, rule: _Rule, *, later: bool, named: bool = False) -> Json:
    written = value
    if isinstance(value, list):
        written = [_inside(item, rule, later=later) for item in value]
    elif isinstance(value, dict) and rule.by_name and not named:
        written = {name: _inside(inner, rule, later=later, named=True) for name, inner in value.items()}
    elif isinstance(value, dict):
        tag = next((tag for tag in rule.inside if tag in (value.get("kind"), value.get("type"))), None)
        written = _without_defaults(value, rule.inside.get(tag, {}), later=later)
    return next((mark for empty, mark in _EMPTY if later and written == empty), written)
