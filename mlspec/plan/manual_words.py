"""What a person writes for the history, as it is recorded: one line of text."""

from __future__ import annotations

import unicodedata

from mlspec.errors import UsageError

_NO_TEXT = {"Cc", "Cs"}  # control characters, and bytes of the command line that are no UTF-8


def read_words(name: str, text: str, longest: int | None = None) -> str:
    """Return a text that a person wrote, on one line; `name` says what it is, `longest` how many characters it may have.

    Raises UsageError if nothing was written, or what no record and no receiver of notices can hold.
    """
    words = " ".join(text.split())
    if not words:
        raise UsageError(f"the {name} is empty: expected a text", hint="the history keeps it for others")
    if longest is not None and len(words) > longest:
        raise UsageError(f"the {name} has {len(words)} characters: expected 1 to {longest}")
    wrong = next((char for char in words if unicodedata.category(char) in _NO_TEXT), None)
    if wrong is not None:
        raise UsageError(
            f"the {name} has a character that is no text ({wrong!a})",
            hint="leave it out; letters with accents need a terminal in UTF-8",
        )
    return words
