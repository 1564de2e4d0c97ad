"""Errors in a spec: `Problem` has the path of a field, `Fault` also the position in a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

Key = str | int
Path = tuple[Key, ...]
ProblemAndHint = tuple[str, str]  # what is wrong, and what to do about it

_LISTED = 12


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of one field, without its file and line.

    `path` leads to the field: ("alerts", 0, "metric"). `code` is a stable word for programs, `message` a sentence on what is
    wrong, `hint` says what to write instead. With `on_key` the problem is with the key, not with the value.
    """

    path: Path
    code: str
    message: str
    hint: str | None = None
    on_key: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem with its position. Line and column count from 1; `path` is dotted (`alerts[0].metric`), "" for the whole file.

    `text` is the text of that line.
    """

    file: str
    line: int
    column: int
    path: str
    code: str
    message: str
    hint: str | None = None
    text: str = ""


def dotted_path(path: Path) -> str:
    """Return `path` as people write it: `alerts[0].metric`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def has_key(value: Any, key: Key) -> bool:
    """Return whether a plain value contains `key`."""
    if isinstance(value, dict):
        return key in value
    return isinstance(value, list) and isinstance(key, int) and key < len(value)


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant, or None."""
    names = {name.lower(): name for name in known}
    matches = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return names[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a hint with the nearest known word. If none is near, the hint lists the known words, if they are few."""
    names = list(known)
    near = nearest_word(word, names)
    if near:
        return f"did you mean '{near}'?"
    return f"known: {', '.join(names)}" if names and len(names) <= _LISTED else None
