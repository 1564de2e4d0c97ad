"""Decodes a file's bytes to text that a reviewer can trust: UTF-8, of limited size, without invisible characters."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from mlspec.spec.faults import Path

MAX_BYTES = 256 * 1024

# Control characters, invisible characters, and characters that change the reading direction: a reviewer has to see what mlspec
# reads. The last range of the first row are line breaks in YAML 1.1, where `git diff` shows one line; surrogates and
# non-characters are not text.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"
    "\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in a file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """A reason why text is refused before its values are validated."""

    mark: Mark
    code: str
    message: str
    hint: str | None = None
    path: Path = ()


def decode_text(raw: bytes) -> str | Trouble:
    """Return the text of a file's bytes, or why they are not text. A byte order mark and CRLF are accepted."""
    if len(raw) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 1024} KiB, the most that a spec may have"
        return Trouble(Mark(1, 1), "too-large", message, "check that it is a spec; data belongs in other files")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in raw[:4]:
        return Trouble(Mark(1, 1), "encoding", "the file is UTF-16 or UTF-32, and a spec is UTF-8", "save it as UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # utf-8-sig counts from behind the byte order mark
        offset = error.start + (3 if raw.startswith(b"\xef\xbb\xbf") else 0)
        line, column = _line_and_column(raw[:offset].decode("utf-8-sig", "replace"))
        return Trouble(Mark(line, column), "encoding", f"byte {offset} is not UTF-8", "save the file as UTF-8")
    text = text.replace("\r\n", "\n")
    hidden = HIDDEN.search(text)
    if hidden:
        mark = Mark(*_line_and_column(text[: hidden.start()]))
        return Trouble(mark, "hidden-character", f"{describe_character(hidden[0])} is not allowed", "remove it")
    return text


def describe_character(char: str) -> str:
    """Return an invisible character's number and name: `U+200B (ZERO WIDTH SPACE)`."""
    return f"U+{ord(char):04X} ({unicodedata.name(char, 'a control character').lower()})"


def _line_and_column(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")
