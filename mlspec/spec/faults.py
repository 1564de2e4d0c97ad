"""Errors in a spec: `Problem` has the path of a field, `Fault` also the position in a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from typing import Any

Key = str | int
Path = tuple[Key, ...]
ProblemAndHint = tuple[str, str]  # what is wrong, and what to do about it

_LISTED = 20
# A person corrects a file from its first errors. Without a limit a file of 1 MiB makes megabytes of them, in a log of CI too.
MOST_OF_A_FILE, MOST_OF_ALL = 100, 1000


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of one field, without its file and line.

    `path` leads to the field: ("alerts", 0, "metric"). `code` is a stable word for programs, `message` a sentence on what is
    wrong, `hint` says what to write instead. With `on_key` the problem is with the key, not with the value. A `warning` is no
    error: the spec is valid, and a person should look.
    """

    path: Path
    code: str
    message: str
    hint: str | None = None
    on_key: bool = False
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem with its position. Line and column count from 1; `path` is dotted (`alerts[0].metric`), "" for the whole file.

    `text` is the text of that line. `count` is the number of errors that it stands for: more than one if it says how many others
    are not shown.
    """

    file: str
    line: int
    column: int
    path: str
    code: str
    message: str
    hint: str | None = None
    text: str = ""
    count: int = 1
    warning: bool = False


def fault_order(fault: Fault) -> tuple[str, int, int, str]:
    """Return the key by which faults are sorted: file, line, column, message."""
    return fault.file, fault.line, fault.column, fault.message


def limit_faults(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """Return the first faults of each file. One fault in place of the rest says how many are not shown. `faults` are by file."""
    shown: list[Fault] = []
    for _file, group in groupby(faults, key=lambda fault: fault.file):
        own = list(group)
        shown += [*own[:MOST_OF_A_FILE], *_fault_of_the_rest(own[MOST_OF_A_FILE:], "of this file")]
    return (*shown[:MOST_OF_ALL], *_fault_of_the_rest(shown[MOST_OF_ALL:], "of this and other files"))


def _fault_of_the_rest(rest: Sequence[Fault], where: str) -> list[Fault]:
    if not rest:
        return []
    first, count = rest[0], sum(fault.count for fault in rest)
    message = f"{count:,} more error{'s' if count > 1 else ''} {where} {'are' if count > 1 else 'is'} not shown"
    return [
        Fault(
            first.file, first.line, first.column, "", "more-errors", message, "correct those above first", count=count
        )
    ]


def count_faults(faults: Iterable[Fault]) -> int:
    """Return the number of errors, with those that are not shown."""
    return sum(fault.count for fault in faults if not fault.warning)


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
    """Return a hint with the nearest known word. If none is near, the hint lists the known words once each, if they are few."""
    names = list(dict.fromkeys(known))
    near = nearest_word(word, names)
    if near:
        return f"did you mean '{near}'?"
    return f"known: {', '.join(names)}" if names and len(names) <= _LISTED else None


def did_you_mean_column(word: str, places: Mapping[str, str]) -> str | None:
    """Return a hint with the nearest column. `places`: the field that names each. Either name may be misspelt."""
    near = nearest_word(word, places)
    if near is None:
        return did_you_mean(word, places)
    return f"did you mean '{near}', as in {places[near]}? If '{word}' is right, correct it there"


def hint_on_series(wanted: Mapping[str, str], known: Mapping[str, Iterable[str]], name: str) -> str:
    """Return what to do where no series has the `wanted` values in its series columns. `known`: the values of each of them.

    `name` is that of the forecast.
    """
    for column, value in wanted.items():
        values = sorted(set(known[column]))
        if value in values:
            continue
        if "=" in value.partition(",")[2]:
            return "name each column with a --series of its own"
        near = nearest_word(value, values)
        if near is not None:
            return f"did you mean {column}={near}?"
    return f"`mlspec forecast {name} --output csv` prints all series"
