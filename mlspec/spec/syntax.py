"""Translates libyaml's errors for the author of a spec: what is wrong, at the position to correct.

libyaml names the position where it could not continue. An unclosed quote or bracket is earlier in the text, and that is the
position to correct. PyYAML's own parser has different texts for some errors, so a row may have several needles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from mlspec.spec.decode import Mark, Trouble

_QUOTE = "put the value in quotes"
_INDENT = "compare the indentation with the lines above"


@dataclass(frozen=True, slots=True)
class _SyntaxRow:
    """One error: the words in its problem or context, the message and hint, and whether its position is where it began."""

    needles: tuple[str, ...]
    message: str
    hint: str
    at_begin: bool = False


_ROWS = (
    _SyntaxRow(
        ("tab character that violates", "character '\\t'"), "a tab where YAML wants spaces", "indent with spaces"
    ),
    _SyntaxRow(("cannot start any token",), "a value cannot begin with {char}", _QUOTE),
    _SyntaxRow(("mapping values are not allowed",), "a colon where no key is allowed", f"{_QUOTE}, or {_INDENT}"),
    _SyntaxRow(
        ("while scanning a simple key",), "expected a colon and a space after this key", "write key: value", True
    ),
    _SyntaxRow(("while scanning an alias",), "a value cannot begin with *", _QUOTE, True),
    _SyntaxRow(("while scanning an anchor",), "a value cannot begin with &", _QUOTE, True),
    _SyntaxRow(
        ("unknown escape character",),
        "a backslash and this letter have no meaning",
        "in single quotes a \\ is a plain character",
    ),
    _SyntaxRow(
        ("escape character code", "escape sequence of"),
        "this number is not a character",
        "in single quotes a \\ is a plain character",
    ),
    _SyntaxRow(("while scanning a quoted scalar",), "this quote is never closed", "close it", True),
    _SyntaxRow(
        ("while scanning a block scalar",), "expected a line break after | or >", f"{_QUOTE}, if it is one line"
    ),
    _SyntaxRow(
        ("while parsing a flow sequence",), "this list is not closed, or lacks a comma", "close it with ]", True
    ),
    _SyntaxRow(
        ("while parsing a flow mapping",), "this mapping is not closed, or lacks a comma", "close it with }}", True
    ),
    _SyntaxRow(
        ("expected node content", "while parsing a flow node"), "expected a value", "write one, or drop this sign"
    ),
    _SyntaxRow(
        ("while parsing a block mapping", "while parsing a block collection"),
        "expected a key or an entry here",
        _INDENT,
    ),
    _SyntaxRow(
        ("expected the node content", "while parsing a block node"), "expected a value", "write one, or drop this sign"
    ),
    _SyntaxRow(("directive", "incompatible YAML"), "directives (%) are not allowed", "remove the line"),
    _SyntaxRow(("expected <document start>", "'<document start>'"), "expected the end of the file", _INDENT),
    _SyntaxRow(("while scanning a tag",), "a value cannot begin with !", _QUOTE, True),
)


def syntax_trouble(error: yaml.YAMLError, lines: list[str]) -> Trouble:
    """Return what is wrong with text that is not YAML. `lines` is that text."""
    problem, context = str(getattr(error, "problem", None) or error), str(getattr(error, "context", None) or "")
    row = next((row for row in _ROWS if any(word in problem or word in context for word in row.needles)), None)
    begin, end = getattr(error, "context_mark", None), getattr(error, "problem_mark", None)
    mark = _position_of((begin or end) if row and row.at_begin else (end or begin))
    if row is None:
        return Trouble(mark, "yaml", f"this is not YAML: {problem}", _INDENT)
    char = lines[mark.line - 1][mark.column - 1 : mark.column] if mark.line <= len(lines) else ""
    if char == "\t":
        row = _ROWS[0]
    return Trouble(mark, "yaml", row.message.format(char=char), row.hint.format())


def _position_of(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
