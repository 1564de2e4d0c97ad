"""Refuses text that looks like a secret: a secret in a spec would be in git, in plans and in logs. Never prints it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlspec.spec.faults import Key, Path, Problem
from mlspec.spec.forecast import Forecast
from mlspec.spec.part import Part
from mlspec.spec.secrecy import looks_secret

_SHORTEST = 16  # the length of the shortest key that is searched for
_SEEN_ELSEWHERE = "targets"  # overlays are checked after they are merged


def check_secrets(forecast: Forecast) -> Iterator[Problem]:
    """No text of a spec looks like a key, a token or a password."""
    for path, text in _collect_texts(forecast, (), []):
        if looks_secret(text):
            yield Problem(
                path, "secret", "this looks like a secret", "keep it in a secret store, and write its name here"
            )


def _collect_texts(value: Any, path: Path, texts: list[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """Append every long text below `value` to `texts`, with its path. Fills one list, because it walks every spec."""
    if isinstance(value, str):
        if len(value) >= _SHORTEST:
            texts.append((path, value))
        return texts
    pairs: list[tuple[Key, Any]]
    if isinstance(value, Part):
        pairs = [(name.rstrip("_"), inner) for name, inner in value.__dict__.items() if name != _SEEN_ELSEWHERE]
    elif isinstance(value, dict):
        pairs = list(value.items())
    else:
        pairs = list(enumerate(value))
    for key, inner in pairs:
        if inner and isinstance(inner, str | Part | dict | tuple):
            _collect_texts(inner, (*path, key), texts)
    return texts
