"""The filters of Google's lists: `labels.a="b" AND severity>=ERROR`, as far as mlspec and its tests use the language.

Known are AND (also by nothing between), OR, NOT, `-`, brackets, the comparisons = != < <= > >= and `:`, `starts_with(…)`,
and `*` for "is there". Anything else is refused rather than guessed. See google.aip.dev/160.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.gcp.standin.refused import invalid

Test = Callable[[Any], bool]
_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(!=|<=|>=|[=<>:()])|([^\s=<>:()!"]+(?:"[^"]*"[^\s=<>:()!"]*)*))')
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    "<": lambda found, wanted: found < wanted,
    "<=": lambda found, wanted: found <= wanted,
    ">": lambda found, wanted: found > wanted,
    ">=": lambda found, wanted: found >= wanted,
}


def matcher(text: str) -> Test:
    """Return the test that a filter is. Raises Refused where it is not understood."""
    words = _words(text)
    if not words:
        return lambda _: True
    parser = _Parser(words)
    test = parser.either()
    if parser.rest:
        raise invalid(f"could not parse the filter {text!r} at {parser.rest[0]!r}")
    return test


def _words(text: str) -> list[str]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise invalid(f"could not parse the filter {text!r} at {text[at : at + 10]!r}")
        found.append(match[0].strip())
        at = match.end()
    return found


class _Parser:
    def __init__(self, words: list[str]) -> None:
        self.rest = words

    def _take(self) -> str:
        if not self.rest:
            raise invalid("could not parse the filter: it ends too early")
        return self.rest.pop(0)

    def _next_is(self, word: str) -> bool:
        if self.rest and self.rest[0] == word:
            self.rest.pop(0)
            return True
        return False

    def either(self) -> Test:
        tests = [self._both()]
        while self._next_is("OR"):
            tests.append(self._both())
        return lambda found: any(test(found) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self.rest and self.rest[0] not in {"OR", ")"}:
            self._next_is("AND")
            tests.append(self._one())
        return lambda found: all(test(found) for test in tests)

    def _one(self) -> Test:
        if self._next_is("NOT"):
            test = self._one()
            return lambda found: not test(found)
        if self._next_is("("):
            test = self.either()
            if self._take() != ")":
                raise invalid("could not parse the filter: a bracket is not closed")
            return test
        return self._comparison(self._take())

    def _comparison(self, path: str) -> Test:
        if path.startswith("-"):
            test = self._comparison(path[1:])
            return lambda found: not test(found)
        sign = self._take()
        word = self._take()
        if word == "starts_with" and self._next_is("("):
            start = _unquoted(self._take())
            self._take()
            return lambda found: str(lookup(found, path) or "").startswith(start)
        return _compared(path, sign, word)


def _compared(path: str, sign: str, word: str) -> Test:
    wanted = _unquoted(word)
    if word == "*":
        return lambda found: (lookup(found, path) is not None) == (sign in {"=", ":"})
    if sign == ":":
        return lambda found: _has(lookup(found, path), wanted)
    if sign not in _COMPARE:
        raise invalid(f"could not parse the filter: {sign!r} is no comparison")
    return lambda found: _compare(sign, lookup(found, path), wanted)


def _has(found: Any, wanted: str) -> bool:
    if isinstance(found, (Sequence, Mapping)) and not isinstance(found, str):
        return wanted in found
    return found is not None and wanted.casefold() in str(found).casefold()


def _compare(sign: str, found: Any, wanted: str) -> bool:
    if found is None:
        return sign == "!="
    try:
        return _COMPARE[sign](found, _like(found, wanted))
    except (TypeError, ValueError):
        return sign == "!="


def _like(found: Any, wanted: str) -> Any:
    if isinstance(found, bool):
        return wanted.casefold() == "true"
    if isinstance(found, Ranked):
        return Ranked(found.names, wanted)
    if isinstance(found, (int, float)):
        return float(wanted)
    if isinstance(found, datetime):
        return datetime.fromisoformat(wanted).astimezone(UTC)
    return wanted


def _unquoted(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word


class Ranked:
    """A value of an enumeration, that is equal by name and greater by number, as severities are."""

    def __init__(self, names: Mapping[str, int], name: str) -> None:
        self.names, self.name = names, name
        self.rank = names[name] if name in names else int(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranked) and self.rank == other.rank

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, other: Ranked) -> bool:
        return self.rank < other.rank

    def __le__(self, other: Ranked) -> bool:
        return self.rank <= other.rank

    def __str__(self) -> str:
        return self.name


def lookup(found: Any, path: str) -> Any:
    """Return what a path leads to in a message or a dictionary, or None."""
    for step in re.findall(r'"[^"]*"|[^."]+', path):
        found = _step(found, _unquoted(step))
        if found is None:
            return None
    return found


def _step(found: Any, name: str) -> Any:
    descriptor = getattr(found, "DESCRIPTOR", None)
    if descriptor is None or descriptor.full_name == "google.protobuf.Struct":
        return found[name] if (isinstance(found, Mapping) or descriptor is not None) and name in found else None
    field = descriptor.fields_by_name.get(name) or descriptor.fields_by_camelcase_name.get(name)
    if field is None:
        raise invalid(f"the filter names a field that {descriptor.name} does not have: {name}")
    value = getattr(found, field.name)
    if field.enum_type is not None:
        names = {each.name: each.number for each in field.enum_type.values}
        return Ranked(names, field.enum_type.values_by_number[value].name)
    if field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
        return value.ToDatetime(UTC)
    return value
