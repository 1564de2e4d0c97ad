"""Writes values as YAML that reads back as the same value. All user text in specs that mlspec writes is quoted here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./ -]*[A-Za-z0-9_]|[A-Za-z_]")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def quote_scalar(value: str | float) -> str:
    """Return a scalar for block or flow style. Text that a YAML reader might read as another type is in double quotes.

    Double-quoted YAML has JSON's escapes (YAML 1.2, 5.7), so the text is quoted as JSON. YAML does not join pairs of
    surrogates, so characters that need them are written with YAML's escape of eight digits.
    """
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return f'"{"".join(map(_escape, value))}"'


def _escape(char: str) -> str:
    """Return a character as it stands in double quotes. Letters stay as people write them."""
    if ord(char) > 0xFFFF:
        return f"\\U{ord(char):08x}"
    return char if char.isalpha() else json.dumps(char)[1:-1]


def quote_list(values: Sequence[str]) -> str:
    """Return a list in flow style."""
    return f"[{', '.join(quote_scalar(value) for value in values)}]"


def quote_value(value: object) -> str:
    """Return a scalar, a list or a mapping in flow style."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{quote_scalar(key)}: {quote_value(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(quote_value, value))}]"
    return quote_scalar(value if isinstance(value, str | int | float) else str(value))
