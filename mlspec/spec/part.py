"""What every mapping of a spec has in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Discriminator


class Part(BaseModel):
    """One mapping of a spec: strict types, no unknown keys, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


def text_or(other: str) -> Any:
    """Choose between a word and another type by whether the value is text, so that an error is about one of the two."""
    return Discriminator(lambda value: "text" if isinstance(value, str) else other)


def number_or(other: str) -> Any:
    """Choose between a number and a mapping by whether the value is a mapping, so that an error is about one of the two."""
    return Discriminator(lambda value: other if isinstance(value, dict | BaseModel) else "number")


def list_or(other: str) -> Any:
    """Choose between a list and a mapping by whether the value is a mapping, so that an error is about one of the two."""
    return Discriminator(lambda value: other if isinstance(value, dict | BaseModel) else "list")
