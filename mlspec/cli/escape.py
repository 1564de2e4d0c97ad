"""Escapes text from a user or a file, so that it is safe in a terminal and in a CI log."""

from __future__ import annotations

import unicodedata

# C0 and C1 controls, format characters (bidirectional overrides, zero width), line and paragraph separators, surrogates.
_UNSAFE = {"Cc", "Cf", "Zl", "Zp", "Cs"}


def printable(text: str) -> str:
    r"""Return `text` with every character escaped that could move the cursor or forge a line; newlines are kept.

    `::` at the start of a line (a command to some CI systems) gets a space before it.
    """
    if text.isascii() and text.isprintable() and not text.startswith("::"):
        return text
    lines = ["".join(_escape_char(char) for char in line) for line in text.split("\n")]
    return "\n".join(f" {line}" if line.startswith("::") else line for line in lines)


def one_line(text: str) -> str:
    r"""Return `text` as `printable` does, on one line, so that it cannot look like a line of mlspec's output."""
    return printable(text.replace("\n", "\\n"))


def _escape_char(char: str) -> str:
    if unicodedata.category(char) not in _UNSAFE:
        return char
    return char.encode("unicode_escape").decode()
