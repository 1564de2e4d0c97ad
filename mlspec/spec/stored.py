"""Resolved specs as documents: how a spec is written down, and the one reader of what was written down before.

A release keeps its spec as JSON for as long as its history is kept, and a step gets its spec as JSON. Only this module knows how
such a document becomes a `Forecast` again, whichever mlspec wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from mlspec.errors import StateError
from mlspec.spec.forecast import Forecast

Document = Mapping[str, Any]  # JSON: None, bool, int, finite float, str, list and dict of the same


def _read_v1(document: Document) -> Forecast:
    """Read the layout of now. A key that came after the document was written takes its default; no key is dropped."""
    return Forecast.model_validate(dict(document))


# The reader for each version of the spec language. An older layout gets a function that brings it to the layout of now.
READERS: Mapping[str, Callable[[Document], Forecast]] = {"mlspec/v1": _read_v1}


def read_stored_spec(document: Document, what: str = "a stored spec") -> Forecast:
    """Return the spec that a document holds, also one that an older mlspec wrote. `what` names the document in an error.

    Raises StateError where it cannot be read whole: another mlspec wrote it, or it is damaged.
    """
    version = document.get("apiVersion")
    read = READERS.get(version) if isinstance(version, str) else None
    if read is None:
        raise StateError(
            f"{what} has the version {version!r}, and this mlspec reads {', '.join(sorted(READERS))}",
            hint="use the mlspec that wrote it, or a newer one",
        )
    try:
        return read(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "its top"
        raise StateError(
            f"{what} cannot be read at {place}: {first['msg']}",
            hint="use the mlspec that wrote it, or a newer one; if this one wrote it, restore it from a backup",
        ) from error
