"""The digest of a spec, and the values that it is made of: the only place that decides which keys count.

A digest depends on what the user wrote. A key that was added after digests were first recorded is left out while its value is
the default, so a new key changes no digest of a spec that does not use it. The keys of the first release are included with
their defaults, as they were then, so that recorded digests stay valid
(docs/decisions/0018-an-upgrade-changes-nothing-by-itself.md).
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
from mlspec.spec.forecast import Forecast
from mlspec.spec.part import Part

Json = Any  # None, bool, int, finite float, str, list and dict of the same
# How an empty value in a spec is written, because `plan.fields.flatten_keys` drops empty values. None of these can be a real
# value of the key: no key allows both text and a list.
_EMPTY: tuple[tuple[Json, Json], ...] = ((None, [None]), ([], "[]"), ({}, "{}"))


def resolved_json(forecast: Forecast) -> dict[str, Json]:
    """Return a validated spec as JSON with every key of the language. Steps receive this form, and releases store it."""
    value: dict[str, Json] = forecast.model_dump(mode="json", by_alias=True, exclude={"targets"})
    return value


def spec_digest(spec: Mapping[str, Json]) -> str:
    """Return the sha256 of a resolved spec's values, as hex; the spelling does not matter. `spec` as for `digest_values`."""
    text = json.dumps(digest_values(spec), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_values(spec: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the part of a resolved spec that all its digests are made of.

    `spec` is a validated spec as JSON (`resolved_json`). One that an older mlspec recorded lacks newer keys and is valid too.
    Keys that were added after the first release are left out while they have their default.
    """
    rules = _rules(Forecast)
    return _without_defaults(spec, rules, later=False) if rules else spec


def language_keys(part: type[Part], prefix: str = "") -> dict[str, Json]:
    """Return every key that has a default, with the default as JSON.

    A key is named by its path: `alerts[].by` in the entries of a list, `model.candidates[theta].season` in entries of several
    kinds, `dataset.checks.range{}.min` in the values of a mapping.
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
    """Return the default of a field, as it is in the JSON of a resolved spec."""
    annotation: Any = field.annotation  # pydantic has taken it apart
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[annotation, *field.metadata] if field.metadata else annotation)
    value = adapter.validate_python(field.get_default(call_default_factory=True))
    return adapter.dump_python(value, mode="json", by_alias=True)


@dataclass(frozen=True, slots=True)
class _Rule:
    """The rule for one key. `later`: the key was added after the first release, with this `default`.

    `inside` holds the rules of the parts in its value, by the parts' tags. `by_name`: the value maps names to parts.
    """

    later: bool
    default: Json
    by_name: bool
    inside: Mapping[str | None, Mapping[str, _Rule]]


@lru_cache(maxsize=64)
def _rules(part: type[Part], prefix: str = "") -> Mapping[str, _Rule]:
    """Return the rules for the keys of a part that were added later or that contain such keys; other keys have no rule."""
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
    """Return the parts that a field's value may contain, each with its path."""
    parts = parts_in(field.annotation)
    if _by_name(field.annotation):
        return [(f"{key}{{}}", part) for part in parts]
    if len(parts) > 1:
        return [(f"{key}[{tag_of(part)}]", part) for part in parts]
    return [(f"{key}[]" if _is_list(field.annotation) else key, part) for part in parts]


def _by_name(annotation: Any) -> bool:
    return _holds(annotation, dict)


def _is_list(annotation: Any) -> bool:
    """Return whether a value of this annotation may be a list of parts."""
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        return any(_is_list(inner) for inner in get_args(annotation))
    return get_origin(annotation) is tuple and bool(parts_in(annotation))


def _holds(annotation: Any, container: type) -> bool:
    """Return whether a value of this annotation may be a `container`; looks through unions and metadata."""
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        return any(_holds(inner, container) for inner in get_args(annotation))
    return get_origin(annotation) is container


def _without_defaults(value: Mapping[str, Json], rules: Mapping[str, _Rule], *, later: bool) -> dict[str, Json]:
    """Return a part without its later keys that have their default. `later`: the part itself is inside a later key."""
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
