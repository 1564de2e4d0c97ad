"""Keeps what `fields.txt` says of single fields: required, output-only and immutable ones, enums, and names by pattern.

What each word means is said in google.aip.dev/203; what holds for a partial update in google.aip.dev/134 and 161. A plan for each
type of message is made once; a call then looks at the fields that are set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.gcp.standin.refused import invalid
from tests.gcp.standin.rpcs import Rpc

FILE = Path(__file__).with_name("fields.txt")
# Fields that the definitions call required and that a request may leave out, with the sentence that says so.
NOT_REQUIRED = {
    "google.logging.v2.LogEntry.log_name": "logging.proto, WriteLogEntriesRequest.log_name: a default for all entries",
    "google.logging.v2.LogEntry.resource": "logging.proto, WriteLogEntriesRequest.resource: a default for all entries",
}


@dataclass(frozen=True)
class Facts:
    """The file, read: behaviors and references by message and field, patterns by type of resource, requests by method."""

    behaviors: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict)
    references: dict[str, dict[str, str]] = field(default_factory=dict)
    patterns: dict[str, list[str]] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)


@cache
def facts() -> Facts:
    """Return what the file says."""
    found = Facts()
    for line in FILE.read_text().splitlines():
        kind, *words = line.split()
        if kind == "method":
            found.requests[words[0]] = words[1]
        elif kind == "resource":
            found.patterns.setdefault(words[0], []).append(words[1])
        elif kind == "field":
            message, name, behaviors, *reference = words
            found.behaviors.setdefault(message, {})[name] = frozenset(behaviors.split(","))
            if reference:
                found.references.setdefault(message, {})[name] = reference[0]
    return found


@cache
def _name_pattern(reference: str) -> re.Pattern[str]:
    """Return what a name of this type, or with ^ a parent of this type, looks like."""
    patterns = facts().patterns[reference[1:]]
    if reference[0] == "^":
        patterns = [each.rsplit("/", 2)[0] for each in patterns if each.count("/") >= 2]
    parts = (
        re.sub(r"\\\{\w+(=\\\*\\\*)?\\\}", lambda part: ".+" if part[1] else "[^/]+", re.escape(each))
        for each in patterns
    )
    return re.compile("|".join(parts))


@dataclass
class _Plan:
    """What to look at in one type of message."""

    required: list[Any] = field(default_factory=list)
    output_only: list[str] = field(default_factory=list)
    immutable: list[Any] = field(default_factory=list)
    names: dict[str, re.Pattern[str]] = field(default_factory=dict)
    enums: list[Any] = field(default_factory=list)
    nested: list[Any] = field(default_factory=list)


_plans: dict[str, _Plan] = {}


def _plan(descriptor: Any) -> _Plan:
    """Return the plan of a type of message, made once."""
    if descriptor.full_name in _plans:
        return _plans[descriptor.full_name]
    made = _plans[descriptor.full_name] = _Plan()
    behaviors = facts().behaviors.get(descriptor.full_name, {})
    for each in descriptor.fields:
        said = behaviors.get(each.name, frozenset())
        if "REQUIRED" in said and each.containing_oneof is None and each.full_name not in NOT_REQUIRED:
            made.required.append(each)
        if "OUTPUT_ONLY" in said:
            made.output_only.append(each.name)
        if "IMMUTABLE" in said:
            made.immutable.append(each)
        if each.enum_type is not None:
            made.enums.append(each)
        if each.message_type is not None and not each.message_type.full_name.startswith("google.protobuf."):
            made.nested.append(each)
    for name, reference in facts().references.get(descriptor.full_name, {}).items():
        made.names[name] = _name_pattern(reference)
    return made


def _is_set(message: Any, one: Any) -> bool:
    """Say whether a field is set, as far as proto3 tells: a number, a bool and an enum of zero may have been said."""
    if one.is_repeated:
        return bool(getattr(message, one.name))
    if one.has_presence:
        return bool(message.HasField(one.name)) and (one.message_type is not None or getattr(message, one.name) != "")
    if one.enum_type is not None and not one.enum_type.values_by_number[0].name.endswith("UNSPECIFIED"):
        return True
    kind = one.type in (one.TYPE_STRING, one.TYPE_BYTES, one.TYPE_ENUM)
    return not kind or bool(getattr(message, one.name))


def _parts(message: Any, one: Any) -> Iterator[tuple[str, Any]]:
    """Yield the messages that a field holds, with their places."""
    if not one.is_repeated:
        if message.HasField(one.name):
            yield one.name, getattr(message, one.name)
        return
    held = getattr(message, one.name)
    if one.message_type.GetOptions().map_entry:
        if one.message_type.fields_by_name["value"].message_type is not None:
            yield from ((f"{one.name}[{key}]", held[key]) for key in held)
        return
    yield from ((f"{one.name}[{index}]", part) for index, part in enumerate(held))


def problems(message: Any, path: str = "") -> Iterator[str]:
    """Say what is wrong in a message and all inside: a required field that is not set, an enum's unknown value, a wrong name."""
    plan = _plan(message.DESCRIPTOR)
    for one in plan.required:
        if not _is_set(message, one):
            yield f"The field {path}{one.name} is required."
    for name, pattern in plan.names.items():
        value = getattr(message, name)
        for text in [value] if isinstance(value, str) else value:
            if text and not pattern.fullmatch(text):
                yield f"Invalid resource name {text!r} in {path}{name}: it must match {pattern.pattern}"
    for one in plan.enums:
        value = getattr(message, one.name)
        for number in value if one.is_repeated else [value]:
            if number not in one.enum_type.values_by_number:
                yield f"Invalid value at {path}{one.name}: {number} is no {one.enum_type.name}"
    for one in plan.nested:
        for place, part in _parts(message, one):
            yield from problems(part, f"{path}{place}.")


def drop_output_only(message: Any, path: str = "") -> list[str]:
    """Take out what only the service sets, as Google does without a word, and return where it stood."""
    plan = _plan(message.DESCRIPTOR)
    found = []
    for name in plan.output_only:
        if any(name == each.name for each, _ in message.ListFields()):
            message.ClearField(name)
            found.append(f"{path}{name}")
    for one in plan.nested:
        for place, part in _parts(message, one):
            found += drop_output_only(part, f"{path}{place}.")
    return found


def check_request(rpc: Rpc, request: Any) -> list[str]:
    """Raise Refused where a request breaks what its fields are; take out what only the service sets, and return where it stood.

    A partial update is looked at where its mask points.
    """
    mask = list(request.update_mask.paths) if "update_mask" in request.DESCRIPTOR.fields_by_name else []
    wrong = list(_masked_problems(request, mask) if mask else problems(request))
    if wrong:
        raise invalid("; ".join(wrong))
    update = rpc.name.startswith(("Update", "Mutate"))
    resources = [
        one.name for one in _plan(request.DESCRIPTOR).nested if update and "name" in one.message_type.fields_by_name
    ]
    kept = {one: getattr(request, one).name for one in resources}
    ignored = drop_output_only(request)
    for resource, name in kept.items():
        getattr(request, resource).name = name  # it says which one is changed
    return [each for each in ignored if _named(each, mask)] if update else ignored


def _masked_problems(request: Any, mask: Sequence[str]) -> Iterator[str]:
    for one in _plan(request.DESCRIPTOR).nested:
        if not one.is_repeated and request.HasField(one.name):
            for path in mask:
                yield from _problems_at(getattr(request, one.name), path, f"{one.name}.")


def _problems_at(message: Any, path: str, above: str) -> Iterator[str]:
    first, _, rest = path.partition(".")
    one = message.DESCRIPTOR.fields_by_name.get(first)
    if one is None:
        return  # the update refuses a path that names no field
    if rest and one.message_type is not None and not one.is_repeated:
        yield from _problems_at(getattr(message, first), rest, f"{above}{first}.")
        return
    if any(one is each for each in _plan(message.DESCRIPTOR).required) and not _is_set(message, one):
        yield f"The field {above}{first} is required."
    if any(one is each for each in _plan(message.DESCRIPTOR).nested):
        for place, part in _parts(message, one):
            yield from problems(part, f"{above}{place}.")


def _named(place: str, mask: Sequence[str]) -> bool:
    inside = place.partition(".")[2]
    return any(inside == path or inside.startswith(f"{path}.") for path in mask)


def check_unchanged(before: Any, after: Any, allowed: Sequence[str] = (), path: str = "") -> None:
    """Raise Refused where an update changes a field that is fixed once the resource exists; `allowed` are paths that may."""
    plan = _plan(before.DESCRIPTOR)
    for one in plan.immutable:
        place = f"{path}{one.name}"
        if place not in allowed and getattr(before, one.name) != getattr(after, one.name):
            raise invalid(f"The field {place} is immutable: it cannot be changed.")
    for one in plan.nested:
        if not one.is_repeated and before.HasField(one.name) and after.HasField(one.name):
            check_unchanged(getattr(before, one.name), getattr(after, one.name), allowed, f"{path}{one.name}.")
