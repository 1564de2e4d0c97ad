"""The order in which a person reads keys: numbers in a text by their value, so that `shop 9` comes before `shop 10`."""

from __future__ import annotations

import re
from functools import lru_cache

_NUMBER = re.compile(r"([0-9]+)")
NaturalKey = tuple[tuple[int, int, str], ...]


@lru_cache(maxsize=1 << 16, typed=True)  # typed: 1 and 1.0 are equal, and two texts
def natural_key(value: object) -> NaturalKey:
    """Return the sort key of a value: its text in parts, numbers by value and before words. None comes last."""
    if value is None:
        return ((2, 0, ""),)
    parts = [part for part in _NUMBER.split(str(value)) if part]
    return (*((0, int(part), part) if part.isascii() and part.isdigit() else (1, 0, part) for part in parts),)
