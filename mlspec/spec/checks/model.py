"""Checks of quantiles and candidates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from mlspec.models import OBSERVED, SERIES, TARGET, TIME
from mlspec.spec.candidates import Candidate, Custom, Ensemble, GradientBoosting
from mlspec.spec.checks.dataset import column_roles
from mlspec.spec.checks.metrics import backtest_problem
from mlspec.spec.duration import format_duration
from mlspec.spec.error_messages import parts_in, tag_of
from mlspec.spec.faults import Path, Problem, did_you_mean
from mlspec.spec.forecast import Forecast

OWN_COLUMNS = (SERIES, TIME, TARGET, OBSERVED)  # of every history that a custom candidate gets
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=7)  # of the timeout of a custom candidate
_KINDS = tuple(tag_of(part) for part in parts_in(Candidate))
# Names that `of`, the gate and the tables use already.
_TAKEN = ("champion", "all", "auto", "near-best", *(f"best-{count}" for count in range(2, 6)))


def check_quantiles(forecast: Forecast) -> Iterator[Problem]:
    """Quantiles rise, and differ in the six digits that name their columns."""
    levels = forecast.model.quantiles
    for index, (lower, upper) in enumerate(pairwise(levels), start=1):
        path: Path = ("model", "quantiles", index)
        if lower == upper:
            yield Problem(path, "quantiles", f"{upper:g} is given twice", f"write {sorted(set(levels))}")
        elif lower > upper:
            yield Problem(path, "quantiles", f"{upper:g} follows {lower:g}", f"write {sorted(set(levels))}")
        elif f"{lower:g}" == f"{upper:g}":
            yield Problem(path, "quantiles", f"{upper!r} and {lower!r} would share the column q{upper:g}", "round them")


def check_ranking(forecast: Forecast) -> Iterator[Problem]:
    """The metric that chooses the champion can be measured with the quantiles and windows of the backtest."""
    if problem := backtest_problem(forecast.model.backtest.metric, forecast.model):
        yield Problem(("model", "backtest", "metric"), "backtest", *problem)


def check_custom_columns(forecast: Forecast) -> Iterator[Problem]:
    """A model of the project's own gets covariates under names that none of the other columns has that it gets."""
    entries = forecast.model.candidates
    if not any(isinstance(candidate, Custom) for candidate in entries):
        return
    for path, name in column_roles(forecast):
        if path[1] == "covariates" and name in OWN_COLUMNS:
            message = f"a model of your own gets a column '{name}' from mlspec, and covariates under their own names"
            yield Problem(path, "column-reserved", message, "rename the column in the data, or leave it out")


def check_candidates(forecast: Forecast) -> Iterator[Problem]:
    """Each candidate has a different name, an ensemble names only others that exist, a custom one has 1s to 7d for a call."""
    entries = forecast.model.candidates
    if isinstance(entries, str):
        return
    members = [candidate.label for candidate in entries if not isinstance(candidate, Ensemble)]
    used_labels: set[str] = set()
    for index, candidate in enumerate(entries):
        path: Path = ("model", "candidates", index)
        label = candidate.label
        if label in used_labels:
            yield Problem(path, "candidate-twice", f"there is a candidate '{label}' already", "give this one a `name`")
        elif label in _TAKEN or (label in _KINDS and label != candidate.kind):
            message = f"'{label}' has another meaning in the spec language"
            yield Problem((*path, "name"), "candidate-name", message, "choose another name")
        used_labels.add(label)
        if isinstance(candidate, Ensemble):
            yield from _check_members(candidate, members, path)
        if isinstance(candidate, GradientBoosting):
            yield from _check_lags(candidate, path)
        if isinstance(candidate, Custom) and not SHORTEST <= candidate.timeout <= LONGEST:
            words = f"expected {format_duration(SHORTEST)} to {format_duration(LONGEST)}"
            yield Problem((*path, "timeout"), "wrong-value", words, "10m is the default")


def _check_lags(candidate: GradientBoosting, path: Path) -> Iterator[Problem]:
    lags = candidate.lags
    if lags is None:
        return
    if not lags:
        yield Problem((*path, "lags"), "lags", "expected one lag or more", "leave lags out to have them chosen")
    twice = next((index for index, lag in enumerate(lags) if lag in lags[:index]), None)
    if twice is not None:
        yield Problem((*path, "lags", twice), "lags", f"{lags[twice]} is given twice", f"write {sorted(set(lags))}")


def _check_members(ensemble: Ensemble, members: list[str], path: Path) -> Iterator[Problem]:
    chosen = ensemble.of
    if isinstance(chosen, str):
        needed = int(chosen.removeprefix("best-")) if chosen.startswith("best-") else 2
        if len(members) < needed:
            message = f"{chosen} needs {needed} other candidates, and there are {len(members)}"
            hint = f"list {needed - len(members)} more" + (
                f", or write best-{len(members)}" if len(members) > 1 else ""
            )
            yield Problem((*path, "of"), "reference", message, hint)
        return
    for index, name in enumerate(chosen):
        if name not in members:
            message = f"there is no candidate '{name}' to take the mean of"
            yield Problem((*path, "of", index), "reference", message, did_you_mean(name, members))
        elif name in chosen[:index]:
            yield Problem((*path, "of", index), "reference", f"'{name}' is named twice", "name each once")
    if len(chosen) == 1:
        yield Problem((*path, "of"), "reference", "the mean of one candidate is that candidate", "name two or more")
