"""Text that came from a user or a file, made safe for a terminal and for a CI's log."""

from __future__ import annotations

import unicodedata

# C0 and C1 controls, format characters (bidirectional overrides, zero width), line and paragraph separators, surrogates.
_UNSAFE = {"Cc", "Cf", "Zl", "Zp", "Cs"}


def printable(text: str) -> str:
    r"""Return `text` with every character that could move a cursor or forge a line shown as an escape, newlines kept.

    `::` at the start of a line (a command to some CI systems) is set apart by a space.
    """
    if text.isascii() and text.isprintable() and not text.startswith("::"):
        return text
    lines = ["".join(_escape_char(char) for char in line) for line in text.split("\n")]
    return "\n".join(f" {line}" if line.startswith("::") else line for line in lines)


def _escape_char(char: str) -> str:
    if unicodedata.category(char) not in _UNSAFE:
        return char
    return char.encode("unicode_escape").decode()
