"""Reads YAML text to plain values, strictly: a spec is written in a small, unambiguous part of YAML.

It uses libyaml's events with its own stack. libyaml's composer is recursive: 100,000 `[` crash the process with SIGSEGV.
Refused, each with its position: anchors, aliases, tags, merge keys, several documents, duplicate keys, keys that are not text,
depth, size, invisible characters. Scalars follow JSON: `NO`, `010`, `1:30` and dates are text (YAML 1.1 would read False, 8, 90
and a date). Text is normalised to NFC, as Terraform does.

Positions are recorded only on demand: most files are valid, and reading a thousand of them has to be quick.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from mlspec.spec.decode import HIDDEN, Mark, Trouble, describe_character
from mlspec.spec.faults import Path
from mlspec.spec.syntax import syntax_trouble

MAX_DEPTH = 32
_TOO_DEEP_MESSAGE = f"nested more than {MAX_DEPTH} levels deep"

# A number as YAML 1.2 has it in JSON's form.
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_DIGITS_OF_A_DOUBLE = 18

try:
    from yaml._yaml import CParser as _Parser
except ImportError:  # PyYAML was built without libyaml: its own parser gives the same events, more slowly
    _Parser = yaml.Loader  # type: ignore[misc,assignment]


@dataclass(slots=True)
class Reading:
    """The result of reading: plain values, or troubles. `keys` and `values` hold positions, if these were requested."""

    value: dict[str, Any] | None = None
    troubles: list[Trouble] = field(default_factory=list)
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)


class _StopReading(Exception):
    """Raised when reading cannot continue; the trouble says why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


def read_yaml(text: str, *, positions: bool = False) -> Reading:
    """Return the values in `text`. Never raises on any text: errors are in `troubles`."""
    reading = Reading()
    try:
        _read_events(text, reading, positions)
    except _StopReading as stop:
        reading.troubles.append(stop.trouble)
    except yaml.YAMLError as error:
        deep = "nesting depth" in str(error)
        reading.troubles.append(_too_deep(text, error) if deep else syntax_trouble(error, text.split("\n")))
    if reading.troubles:
        reading.value = None
        if not positions and any(trouble.code == "duplicate-key" for trouble in reading.troubles):
            return read_yaml(text, positions=True)  # now the message can name the line of the first one
    return reading


def _too_deep(text: str, error: yaml.YAMLError) -> Trouble:
    """Return the trouble with the first bracket that is nested too deep.

    From 6.0.4 on PyYAML counts brackets itself before its first event, and names the thousandth. So the text is read again up
    to the first few dozen brackets.
    """
    opened = [hit.end() for hit in re.finditer(r"[\[{]", text)]
    inner = read_yaml(text[: opened[2 * MAX_DEPTH]]) if len(opened) > 2 * MAX_DEPTH else Reading()
    hit = next((trouble for trouble in inner.troubles if trouble.code == "too-deep"), None)
    place = syntax_trouble(error, text.split("\n")).mark
    return hit or Trouble(place, "too-deep", _TOO_DEEP_MESSAGE)


def _read_events(text: str, reading: Reading, positions: bool) -> None:
    builder = _Builder(reading, positions)
    next_event = _Parser(text).get_event
    while True:
        event = next_event()
        kind = type(event)
        if kind is StreamEndEvent:
            break
        handle = _HANDLERS.get(kind)
        if handle is not None:
            handle(builder, event)
    reading.value = _one_mapping(builder.root)


class _Builder:
    """Builds plain values from events. `into` is the open collection, `key` the key whose value comes next, if any."""

    __slots__ = ("documents", "into", "key", "path", "positions", "reading", "root", "stack")

    def __init__(self, reading: Reading, positions: bool) -> None:
        self.reading, self.positions = reading, positions
        self.root: list[Any] = []
        self.into: Any = self.root
        self.path: Path = ()
        self.key: str | None = None
        self.stack: list[tuple[Any, Path]] = []
        self.documents = 0

    def on_scalar(self, event: Any) -> None:
        if event.anchor is not None or event.tag is not None:
            raise _StopReading(_special_trouble(event, self.current_path()))
        if self.key is None and type(self.into) is dict:
            self.take_key(event)
            return
        if self.positions:
            self.reading.values[self.current_path()] = _event_mark(event)
        try:
            self.put_value(_clean_text(event.value) if event.style else _parse_scalar(event.value))
        except ValueError as error:
            code, message, hint = error.args
            raise _StopReading(Trouble(_event_mark(event), code, message, hint, self.current_path())) from None

    def on_start(self, event: Any) -> None:
        if event.anchor is not None or event.tag is not None:
            raise _StopReading(_special_trouble(event, self.current_path()))
        if self.key is None and type(self.into) is dict:
            problem, hint = "a key must be text", "quote it; templates such as {{ name }} are not read"
            raise _StopReading(Trouble(_event_mark(event), "key-not-text", problem, hint, self.path))
        if len(self.stack) >= MAX_DEPTH:
            raise _StopReading(Trouble(_event_mark(event), "too-deep", _TOO_DEEP_MESSAGE))
        inner: Any = {} if type(event) is MappingStartEvent else []
        here = self.current_path()
        if self.positions:
            self.reading.values[here] = _event_mark(event)
        self.stack.append((self.into, self.path))
        self.put_value(inner)
        self.into, self.path = inner, here

    def on_end(self, _event: Any) -> None:
        self.into, self.path = self.stack.pop()

    def on_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            problem = "a file holds one spec, and another begins here"
            raise _StopReading(Trouble(_event_mark(event), "several-documents", problem, "move it to a separate file"))
        if event.version is not None or event.tags:
            raise _StopReading(
                Trouble(Mark(1, 1), "directive", "directives (%YAML, %TAG) are not allowed", "remove the line")
            )

    def on_alias(self, event: Any) -> None:
        problem = f"aliases (*{event.anchor}) are not allowed"
        raise _StopReading(Trouble(_event_mark(event), "alias", problem, "write the value out", self.current_path()))

    def current_path(self) -> Path:
        """Return the path of the next value; before a key, the path of its mapping."""
        if self.key is not None:
            return (*self.path, self.key)
        return (*self.path, len(self.into)) if self.stack and type(self.into) is list else self.path

    def put_value(self, value: Any) -> None:
        if self.key is None:
            self.into.append(value)
        else:
            self.into[self.key] = value
            self.key = None

    def take_key(self, event: Any) -> None:
        try:
            name = _clean_text(event.value)
            if not event.style:
                _refuse_odd_key(name, self.into)
        except ValueError as error:
            code, message, hint = error.args
            raise _StopReading(Trouble(_event_mark(event), code, message, hint, self.path)) from None
        where = (*self.path, name)
        if name in self.into:
            first = self.reading.keys.get(where)
            also = f"; the first is in line {first.line}" if first else ""
            problem = f"'{name}' is given twice{also}"
            self.reading.troubles.append(
                Trouble(_event_mark(event), "duplicate-key", problem, "keep one of them", where)
            )
        elif self.positions:
            self.reading.keys[where] = _event_mark(event)
        self.key = name


_HANDLERS: dict[type, Callable[[_Builder, Any], None]] = {
    ScalarEvent: _Builder.on_scalar,
    MappingStartEvent: _Builder.on_start,
    SequenceStartEvent: _Builder.on_start,
    MappingEndEvent: _Builder.on_end,
    SequenceEndEvent: _Builder.on_end,
    DocumentStartEvent: _Builder.on_document,
    AliasEvent: _Builder.on_alias,
}


# Errors of scalars are raised as ValueError(code, message, hint); the builder adds the position.


def _refuse_odd_key(name: str, beside: dict[str, Any]) -> None:
    """Raise ValueError for a key that is not text. `beside`: the keys before it; `{above: 0,1}` is a decimal comma."""
    if name == "<<":
        raise ValueError("merge-key", "merge keys (<<) are not allowed", "write the keys out")
    if type(_parse_scalar(name)) is not str:
        problem = f"the key {name or '(empty)'} is not text"
        before = next(reversed(beside.items()), None)
        if before is not None and name.isdecimal() and type(before[1]) is int:
            hint = f"a comma begins another key; for a number with decimals write {before[0]}: {before[1]}.{name}"
            raise ValueError("key-not-text", problem, hint)
        raise ValueError("key-not-text", problem, f"write '{name}', if it is a name")


def _clean_text(text: str) -> str:
    """Return text in NFC. A character that is not allowed in a file is not allowed as an escape (`\\u202e`) either."""
    if text.isascii() and text.isprintable():
        return text
    hidden = HIDDEN.search(text)
    if hidden:
        raise ValueError(
            "hidden-character", f"{describe_character(hidden[0])} is not allowed, escaped or not", "remove it"
        )
    return unicodedata.normalize("NFC", text)


def _parse_scalar(text: str) -> Any:
    """Return a plain scalar as JSON would read it; as text if it is not a JSON scalar."""
    if text in _WORDS:
        return _WORDS[text]
    match = NUMBER.fullmatch(text)
    if not match:
        return _clean_text(text)
    if match[2] or match[3]:
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise ValueError("number", f"{text[:40]} is too large for a number", None)
        return number
    if len(text) > _DIGITS_OF_A_DOUBLE:
        raise ValueError("number", f"{text[:40]}… has too many digits for a number", "quote it, if it is a name")
    return int(text)


def _one_mapping(root: list[Any]) -> dict[str, Any]:
    if len(root) == 1 and type(root[0]) is dict:
        return root[0]
    content = "nothing" if not root or root[0] is None else "a list" if type(root[0]) is list else "a single value"
    raise _StopReading(
        Trouble(
            Mark(1, 1),
            "not-a-mapping",
            f"expected one mapping of keys and values, found {content}",
            "try `mlspec init`",
        )
    )


def _special_trouble(event: Any, path: Path) -> Trouble:
    if event.anchor is not None:
        problem, hint = f"anchors (&{event.anchor}) are not allowed", "write the value where it is used"
        return Trouble(_event_mark(event), "anchor", problem, hint, path)
    tag = event.tag.replace("tag:yaml.org,2002:", "!!")
    return Trouble(_event_mark(event), "tag", f"tags ({tag}) are not allowed", "write a plain value", path)


def _event_mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)
