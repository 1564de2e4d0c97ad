"""What a person assumes of the plan of known covariates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Assumptions:
    """The `values` of covariates as typed, for the series that `series` names, from the period `first` to `last` (ISO 8601)."""

    values: Mapping[str, str]
    series: Mapping[str, str]
    first: str | None = None
    last: str | None = None


@dataclass(frozen=True, slots=True)
class AssumedForecasts:
    """Two forecasts as plain values by column: with the plan as it is, and with what is assumed; `notes` on that."""

    before: Mapping[str, list[Any]]
    after: Mapping[str, list[Any]]
    cutoff: str
    notes: tuple[str, ...]
