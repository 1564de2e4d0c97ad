"""Writes paths into a Dockerfile and a .dockerignore, so that no character of theirs is read as a pattern or a variable."""

from __future__ import annotations

import json
import re


def quote_pattern(path: str) -> str:
    """Return a path as a pattern that matches this path alone, for a line of .dockerignore.

    Signs of Go's filepath.Match get a backslash. The file has no way to write a line break; `?` matches it.
    """
    escaped = re.sub(r"([*?\[\]\\])", r"\\\1", path)
    return "".join(char if char.isprintable() else "?" for char in escaped)


def quote_word(path: str) -> str:
    """Return a path as a word of a Dockerfile's JSON form, in which patterns and variables still count."""
    return json.dumps(quote_pattern(path).replace("$", "\\$"), ensure_ascii=False)
