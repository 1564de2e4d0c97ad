"""Writes values as YAML that reads back as the same value. All user text in specs that mlspec writes is quoted here."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

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
    escaped = "".join(f"\\U{ord(char):08x}" if ord(char) > 0xFFFF else json.dumps(char)[1:-1] for char in value)
    return f'"{escaped}"'


def quote_list(values: Sequence[str]) -> str:
    """Return a list in flow style."""
    return f"[{', '.join(quote_scalar(value) for value in values)}]"
