"""The kinds of candidates: one module per family, in one literal table. Only a family's module imports its heavy libraries.

A family fits a candidate to a panel. The fitted candidate can forecast any later panel of the same layout.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, TypeVar, runtime_checkable

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from mlspec.errors import ModelError
from mlspec.forecast.frame import Panel
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import THIS_PROCESS, Workers
from mlspec.spec.candidates import Candidate, Combine, Custom, Ensemble, GradientBoosting

# kind: the module of its family, below this package.
FAMILIES = {
    "seasonal-naive": "naive",
    "auto-ets": "statistical",
    "auto-ces": "statistical",
    "auto-arima": "statistical",
    "mstl": "mstl",
    "regression": "regression",
    "theta": "statistical",
    "croston": "croston",
    "gradient-boosting": "boosting",
    "custom": "custom",
}


class FittedCandidate(Protocol):
    """A fitted candidate."""

    def forecast(self, panel: Panel) -> pd.DataFrame:
        """Return unique_id, ds, mean for the horizon after the panel's cutoff, sorted."""
        ...

    def to_bytes(self) -> bytes | None:
        """Return the trained model; None if each forecast estimates it again.

        In a format that cannot run code, but for a model of the project's own, which is code.
        """
        ...


@runtime_checkable
class WholePanelCandidate(FittedCandidate, Protocol):
    """A fitted candidate that has to, or would rather, forecast all series of a panel at once."""

    def wants_whole(self, panel: PartedPanel) -> bool:
        """Return whether this panel is not to be split into shares."""
        ...

    def forecast(self, panel: PartedPanel, workers: Workers = THIS_PROCESS) -> pd.DataFrame:
        """Return the forecast of all series, as `FittedCandidate.forecast` does; `workers` may share what can be shared."""
        ...


def wants_whole(fitted: FittedCandidate, panel: PartedPanel) -> TypeGuard[WholePanelCandidate]:
    """Return whether a fitted candidate forecasts all series of this panel at once."""
    return isinstance(fitted, WholePanelCandidate) and fitted.wants_whole(panel)


def training_note(fitted: FittedCandidate) -> str:
    """Return what people should know of how a candidate was fitted; empty for most."""
    return str(getattr(fitted, "note", ""))


_CandidateT = TypeVar("_CandidateT", bound=Candidate)
_CandidateT_contra = TypeVar("_CandidateT_contra", bound=Candidate, contravariant=True)


class Family(Protocol[_CandidateT_contra]):
    """A module of this package, for the candidates of one kind."""

    def fit(self, candidate: _CandidateT_contra, panel: PartedPanel, seed: int, workers: Workers) -> FittedCandidate:
        """Fit a candidate to a panel, on `workers` if the family trains before the forecast.

        Raises ModelError if no series is long enough.
        """
        ...


def import_family(candidate: _CandidateT) -> Family[_CandidateT]:
    """Import and return the family of a candidate: the table names the module for its kind."""
    module: Any = importlib.import_module(f"{__name__}.{FAMILIES[candidate.kind]}")
    family_module: Family[_CandidateT] = module
    return family_module


def fit_candidate(
    candidate: Candidate, panel: PartedPanel, seed: int, workers: Workers = THIS_PROCESS
) -> FittedCandidate:
    """Fit one candidate that is not an ensemble."""
    return import_family(candidate).fit(candidate, panel, seed, workers)


def load_fitted(candidate: Candidate, data: bytes | None, panel: PartedPanel, seed: int) -> FittedCandidate:
    """Return the fitted candidate from `to_bytes`; fit it to the panel if it stored nothing."""
    if isinstance(candidate, GradientBoosting) and data is not None:
        from mlspec.forecast.candidates import boosting

        return boosting.load_boosted(candidate, data)
    if isinstance(candidate, Custom) and data is not None:
        from mlspec.forecast.candidates import custom

        return custom.load_custom(candidate, data, seed)
    return fit_candidate(candidate, panel, seed)


_CANDIDATE_ADAPTER: TypeAdapter[Candidate] = TypeAdapter(Candidate)


@dataclass(frozen=True)
class ChosenCandidate:
    """A champion: an ensemble includes its chosen `members`, any other candidate has none."""

    candidate: Candidate
    members: tuple[Candidate, ...] = ()

    @property
    def combine(self) -> Combine | None:
        """How the members are combined; None for a single candidate."""
        return self.candidate.combine if isinstance(self.candidate, Ensemble) else None

    @property
    def parts(self) -> tuple[Candidate, ...]:
        """What is fitted: the members, or the candidate itself."""
        return self.members or (self.candidate,)


def choose_members(label: str, combine: Combine | None, members: Sequence[Candidate]) -> ChosenCandidate:
    """Return a champion with the members that it was chosen with. `combine` says how: None for a single candidate."""
    if combine is None:
        return ChosenCandidate(members[0])
    of = tuple(member.label for member in members)
    return ChosenCandidate(Ensemble(kind="ensemble", name=label, of=of, combine=combine), tuple(members))


def combine_means(parts: Sequence[pd.Series] | pd.DataFrame, combine: Combine | None) -> pd.Series:
    """Return the mean or the median of several forecasts of the same periods: columns of a frame, or series."""
    frame = parts if isinstance(parts, pd.DataFrame) else pd.concat(parts, axis=1)
    return frame.median(axis=1) if combine == "median" else frame.mean(axis=1)


def to_json(chosen: ChosenCandidate) -> dict[str, Any]:
    """Return a chosen candidate as self-contained JSON, for a backtest's facts and a model file."""
    value = _candidate_json(chosen.candidate)
    if not chosen.members:
        return value
    members = [_candidate_json(member) for member in chosen.members]
    plain = {
        key: item for key, item in value.items() if (key, item) != ("combine", "mean")
    }  # as before there was a choice
    return plain | {"members": members}


def from_json(value: Any) -> ChosenCandidate:
    """Return a chosen candidate from its JSON. Raises ModelError if `to_json` did not write `value`."""
    try:
        plain = {key: item for key, item in value.items() if key != "members"}
        members = tuple(_read_candidate(member) for member in value.get("members", ()))
        return ChosenCandidate(_read_candidate(plain), members)
    except (ValidationError, AttributeError, TypeError) as error:
        raise ModelError(
            "this version of mlspec does not know the candidate", hint="train again: mlspec apply"
        ) from error


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return candidate.model_dump(mode="json", by_alias=True)


def _read_candidate(value: Any) -> Candidate:
    if value.get("kind") == "custom":
        from mlspec.forecast.candidates import custom

        return custom.read_candidate(value)
    return _CANDIDATE_ADAPTER.validate_python(value)
