"""The kinds of candidates: one module per family, in one literal table. Only a family's module imports its heavy libraries.

A family fits a candidate to a panel. The fitted candidate can forecast any later panel of the same layout.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from mlspec.errors import ModelError
from mlspec.forecast.frame import Panel
from mlspec.forecast.workers import THIS_PROCESS, Workers
from mlspec.spec.forecast import Candidate, GradientBoosting

# kind: the module of its family, below this package.
FAMILIES = {
    "seasonal-naive": "naive",
    "auto-ets": "smoothing",
    "theta": "theta",
    "croston": "croston",
    "gradient-boosting": "boosting",
}


class FittedCandidate(Protocol):
    """A fitted candidate."""

    def forecast(self, panel: Panel) -> pd.DataFrame:
        """Return unique_id, ds, mean for the horizon after the panel's cutoff, sorted."""
        ...

    def to_bytes(self) -> bytes | None:
        """Return the trained model in a format that cannot run code; None if each forecast estimates it again."""
        ...


class Family(Protocol):
    """A module of this package."""

    def fit(self, candidate: Any, panel: Panel, seed: int, workers: Workers) -> FittedCandidate:
        """Fit a candidate to a panel, on `workers` if the family trains before the forecast.

        Raises ModelError if no series is long enough.
        """
        ...


def import_family(kind: str) -> Family:
    """Import and return the family of a kind."""
    module: Any = importlib.import_module(f"{__name__}.{FAMILIES[kind]}")
    family_module: Family = module
    return family_module


def fit_candidate(candidate: Candidate, panel: Panel, seed: int, workers: Workers = THIS_PROCESS) -> FittedCandidate:
    """Fit one candidate that is not an ensemble."""
    return import_family(candidate.kind).fit(candidate, panel, seed, workers)


def load_fitted(candidate: Candidate, data: bytes | None, panel: Panel, seed: int) -> FittedCandidate:
    """Return the fitted candidate from `to_bytes`; fit it to the panel if it stored nothing."""
    if isinstance(candidate, GradientBoosting) and data is not None:
        from mlspec.forecast.candidates import boosting

        return boosting.load_boosted(candidate, data)
    return fit_candidate(candidate, panel, seed)


_CANDIDATE_ADAPTER: TypeAdapter[Candidate] = TypeAdapter(Candidate)


def to_json(label: str, kind: str, members: Sequence[Candidate]) -> dict[str, Any]:
    """Return a champion as self-contained JSON: an ensemble includes its chosen members."""
    listed: list[dict[str, Any]] = [_CANDIDATE_ADAPTER.dump_python(member, mode="json") for member in members]
    if kind != "ensemble":
        return listed[0]
    return {"kind": kind, "name": label, "of": [member.label for member in members], "members": listed}


def from_json(value: Any) -> tuple[Candidate, list[Candidate]]:
    """Return the candidate and, of an ensemble, its members. Raises ModelError if `to_json` did not write `value`."""
    try:
        plain = {key: item for key, item in value.items() if key != "members"}
        members = [_CANDIDATE_ADAPTER.validate_python(member) for member in value.get("members", ())]
        return _CANDIDATE_ADAPTER.validate_python(plain), members
    except (ValidationError, AttributeError, TypeError) as error:
        raise ModelError(
            "this version of mlspec does not know the candidate", hint="train again: mlspec apply"
        ) from error
