"""Quantiles, candidates, the gate, and the stock that the forecast is for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from mlspec.spec.faults import Path, Problem, did_you_mean
from mlspec.spec.forecast import Ensemble, Forecast, Rule

_NEEDS_QUANTILES = {"pinball": 1, "coverage": 2}


def quantiles(forecast: Forecast) -> Iterator[Problem]:
    """Quantiles rise."""
    found = forecast.model.quantiles
    for index, (lower, upper) in enumerate(pairwise(found), start=1):
        if lower >= upper:
            what = "is given twice" if lower == upper else f"follows {lower:g}"
            yield Problem(
                ("model", "quantiles", index), "quantiles", f"{upper:g} {what}", f"write {sorted(set(found))}"
            )


def candidates(forecast: Forecast) -> Iterator[Problem]:
    """Candidates have names of their own, and an ensemble is of others that are there."""
    found = forecast.model.candidates
    if isinstance(found, str):
        return
    members = [candidate.label for candidate in found if not isinstance(candidate, Ensemble)]
    seen: set[str] = set()
    for index, candidate in enumerate(found):
        path: Path = ("model", "candidates", index)
        if candidate.label in seen:
            yield Problem(
                path, "candidate-twice", f"there is a candidate '{candidate.label}' already", "give this one a `name`"
            )
        seen.add(candidate.label)
        if isinstance(candidate, Ensemble):
            yield from _members(candidate, members, path)


def _members(ensemble: Ensemble, members: list[str], path: Path) -> Iterator[Problem]:
    if isinstance(ensemble.of, str):
        wanted = int(ensemble.of[-1]) if ensemble.of.startswith("best-") else 2
        if len(members) < wanted:
            yield Problem(
                (*path, "of"),
                "reference",
                f"{ensemble.of} needs {wanted} other candidates, and there are {len(members)}",
                None,
            )
        return
    for index, name in enumerate(ensemble.of):
        if name not in members:
            yield Problem(
                (*path, "of", index),
                "reference",
                f"there is no candidate '{name}' to take the mean of",
                did_you_mean(name, members),
            )
        elif name in ensemble.of[:index]:
            yield Problem((*path, "of", index), "reference", f"'{name}' is named twice", None)


def gate(forecast: Forecast) -> Iterator[Problem]:
    """Each rule of the gate has one form, and measures something that there is."""
    for index, rule in enumerate(forecast.model.gate):
        path: Path = ("model", "gate", index)
        problem = _form(rule)
        if problem:
            yield Problem(path, "gate", *problem)
        needed = _NEEDS_QUANTILES.get(rule.metric, 0)
        if len(forecast.model.quantiles) < needed:
            yield Problem(
                (*path, "metric"),
                "gate",
                f"{rule.metric} needs {needed} quantiles or more",
                "add them to model.quantiles",
            )


def _form(rule: Rule) -> tuple[str, str | None] | None:
    limits = [name for name in ("below", "above", "within") if getattr(rule, name) is not None]
    margins = [name for name in ("improves_by", "not_worse_by") if getattr(rule, name) is not None]
    example = "such as {metric: wape, below: 0.2} or {metric: wape, against: seasonal-naive, improves_by: 0.05}"
    if rule.against is not None:
        if len(margins) != 1 or limits:
            return "a rule with `against` has one of improves_by and not_worse_by, and nothing else", example
    elif margins:
        return f"`{margins[0]}` needs `against`", example
    elif len(limits) != 1:
        return f"expected one of below, above, within or against, found {' and '.join(limits) or 'none'}", example
    elif limits == ["within"] and rule.metric not in ("coverage", "bias"):
        return (
            "`within` is a distance from an ideal, which only coverage and bias have",
            f"write below, for {rule.metric}",
        )
    elif limits == ["above"] and rule.metric not in ("coverage", "bias"):
        return f"{rule.metric} is an error: a version should be below a limit, not above", "write below"
    return None


def inventory(forecast: Forecast) -> Iterator[Problem]:
    """Stock is planned for the time until the next order arrives, and the forecast has to reach so far."""
    stock = forecast.inventory
    if stock is None:
        return
    periods = stock.lead_time + stock.review_period
    if periods > forecast.model.horizon:
        message = f"lead_time + review_period is {periods} periods, and the forecast reaches {forecast.model.horizon}"
        yield Problem(("inventory", "lead_time"), "inventory", message, f"set model.horizon to {periods} or more")
