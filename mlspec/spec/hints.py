"""Hints for values of the wrong type: the same value in the spelling of the spec language."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mlspec.spec.reader import NUMBER

_LONGEST = 40
_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_NUMBERS = ("a whole number", "a number")


def suggest_value(expected: str, value: Any) -> str | None:
    """Return what to write if `expected` (a type's name in `error_messages`) was expected and `value` found; None if unknown."""
    if isinstance(value, str) and len(value) <= _LONGEST:
        return _suggest_for_text(expected, value)
    if expected == "text" and isinstance(value, bool | int | float):
        return f"quote it, if text is meant: '{str(value).lower()}'"
    if expected == "a list" and isinstance(value, int | float) and not isinstance(value, bool):
        return f"write [{value}]"
    if expected == "a whole number" and isinstance(value, float) and value.is_integer():
        return f"write {int(value)}" if abs(value) < 1e15 else None
    return None


def suggest_share(limits: Any, value: Any) -> str | None:
    """Return a hint if `value` is a percentage and a share of at most 1 is expected; `limits` are the broken bounds."""
    most = [limits[key] for key in ("lt", "le") if key in limits]
    is_percentage = isinstance(value, int | float) and 2 <= value <= 100
    return f"write {value / 100:g} for {value:g} %" if most == [1] and is_percentage else None


def _suggest_for_text(expected: str, text: str) -> str | None:
    if expected == "a list" and re.fullmatch(r"[\w.-]+(, *[\w.-]+)*", text):
        return f"write [{text}]"
    if expected == "true or false":
        if text in ("true", "false"):
            return "drop the quotes"
        return f"write {_BOOLEANS[text.lower()]}" if text.lower() in _BOOLEANS else None
    return _suggest_number(text) if expected in _NUMBERS else None


# Spellings of numbers in other languages, in YAML 1.1 and in spreadsheets, each with the hint for the spelling here.
_SPELLINGS: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (NUMBER, lambda _: "drop the quotes"),
    (re.compile(r"0[0-7]+"), lambda text: f"write {int(text)}, or {int(text, 8)} if it is octal"),
    (re.compile(r"0([xX][0-9a-fA-F]+|[bB][01]+|[oO][0-7]+)"), lambda text: f"write {int(text, 0)}"),
    (re.compile(r"[-+]?\.?(inf|nan|infinity)", re.IGNORECASE), lambda _: "write a finite number"),
    (re.compile(r"[0-9]+(:[0-9]+)+"), lambda _: "write one number, without colons"),
    (re.compile(r"[0-9]+(\.[0-9]+)? ?%"), lambda text: f"write {float(text.rstrip('% ')) / 100:g}"),
    (re.compile(r"[1-9][0-9]{0,2}(,[0-9]{3})+"), lambda text: f"write {text.replace(',', '')}"),
    (re.compile(r"[0-9]+,[0-9]+"), lambda text: f"write {text.replace(',', '.')}"),
    (re.compile(r"\+?([0-9][0-9_]*\.?[0-9]*|\.[0-9]+)"), lambda text: f"write {float(text.replace('_', '')):.15g}"),
)


def _suggest_number(text: str) -> str | None:
    suggestion = next((write(text) for spelling, write in _SPELLINGS if spelling.fullmatch(text)), None)
    return suggestion or ("write it in the digits 0 to 9" if text.isnumeric() else None)
