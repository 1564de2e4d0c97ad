"""A desired resource and its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["data", "model", "deployment", "forecast"]
# In order of need: each kind needs those before it.
KINDS: tuple[Kind, ...] = ("data", "model", "deployment", "forecast")

# What all specs of a project share is filed under this name. No forecast's name begins with an underscore.
SHARED = "_project"

Json = Any  # None, bool, int, finite float, str, list and dict of the same


def canonical_json(value: Json) -> str:
    """Return the one JSON text of a value, which records and digests share. Raises ValueError on NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def field_text(value: Json) -> str:
    """Return a field's value as a person reads it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def digest(value: Json, length: int = 64) -> str:
    """Return the first `length` hex digits of the sha256 of `value` as canonical JSON.

    Raises ValueError on NaN and infinities: they have no JSON.
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource that must exist: its address (`model.demand`) and the fields that define it.

    `fields` maps dotted names (`model.horizon`, `data.digest`) to JSON values; two resources with equal fields are equal.
    """

    kind: Kind
    forecast: str
    fields: Mapping[str, Json] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Stable name of the resource."""
        return f"{self.kind}.{self.forecast}"
