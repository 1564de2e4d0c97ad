"""A secret in a spec is a secret in git, in plans and in logs: what looks like one is refused, and never repeated."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from mlspec.spec.faults import Path, Problem
from mlspec.spec.forecast import Forecast

_FORMATS = re.compile(
    r"AIza[0-9A-Za-z_-]{30,}"  # Google API key
    r"|ya29\.[0-9A-Za-z_-]{20,}"  # Google access token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|gh[pousr]_[0-9A-Za-z]{30,}|github_pat_[0-9A-Za-z_]{30,}"
    r"|xox[abprs]-[0-9A-Za-z-]{10,}|hooks\.slack\.com/services/"
    r"|AKIA[0-9A-Z]{16}|sk_live_[0-9A-Za-z]{16,}"
    r"|eyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}"  # JSON web token
    r"|[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@"  # user:password@host
)
_TOKEN = re.compile(r"[0-9A-Za-z+/_=-]{32,}")
# Bits a character: English in hyphens stays below 4, random base64 of this length lies above 4.2 (Shannon 1948 on the text itself).
_RANDOM = 4.2


def secrets(forecast: Forecast) -> Iterator[Problem]:
    """No text of a spec looks like a key, a token or a password."""
    for path, text in _texts(forecast.model_dump(by_alias=True, exclude={"targets"}), ()):
        if looks_secret(text):
            yield Problem(
                path, "secret", "this looks like a secret", "keep it in a secret store, and write its name here"
            )


def looks_secret(text: str) -> bool:
    """Return whether a text has the form of a known key, or holds a long random-looking word."""
    return bool(_FORMATS.search(text)) or any(_random(found[0]) for found in _TOKEN.finditer(text))


def _random(word: str) -> bool:
    shapes = (re.search("[a-z]", word), re.search("[A-Z]", word), re.search("[0-9]", word))
    if not all(shapes):
        return False
    counts = Counter(word).values()
    return -sum(count / len(word) * math.log2(count / len(word)) for count in counts) >= _RANDOM


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if len(value) >= 16:
            yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, tuple | list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, index))
