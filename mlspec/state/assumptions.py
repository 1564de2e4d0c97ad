"""What a person assumes of the plan of known covariates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Assumptions:
    """The `values` of covariates as typed, for the series that `series` names, from the period `first` to `last` (ISO 8601)."""

    values: Mapping[str, str]
    series: Mapping[str, str]
    first: str | None = None
    last: str | None = None
