"""Checks of the gate's rules."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.spec.checks.metrics import backtest_problem, edge_problem, number_problem
from mlspec.spec.faults import Path, Problem, ProblemAndHint
from mlspec.spec.forecast import Forecast, Rule
from mlspec.spec.metrics import MAIN, find_metric, format_names, metrics_of_kind

_LIMITS = ("below", "above", "within")
_MARGINS = ("improves_by", "not_worse_by")
_FORMS = f"such as {{metric: {MAIN.name}, below: 0.2}} or {{metric: {MAIN.name}, against: seasonal-naive, improves_by: 0.05}}"


def check_gate(forecast: Forecast) -> Iterator[Problem]:
    """Each rule of the gate has one form, a metric that quantiles and windows allow, and a limit that can be met and missed."""
    for index, rule in enumerate(forecast.model.gate):
        path: Path = ("model", "gate", index)
        problem = _form_problem(rule)
        if problem:
            yield Problem(path, "gate", *problem)
        else:
            yield from _check_limit(rule, path)
        if unmeasured := backtest_problem(rule.metric, forecast.model):
            yield Problem((*path, "metric"), "gate", *unmeasured)


def _form_problem(rule: Rule) -> ProblemAndHint | None:
    limits = [name for name in _LIMITS if getattr(rule, name) is not None]
    margins = [name for name in _MARGINS if getattr(rule, name) is not None]
    ideal = find_metric(rule.metric).ideal is not None
    if rule.against is not None:
        alone = len(margins) == 1 and not limits
        return (
            None
            if alone
            else ("a rule with `against` has one of improves_by and not_worse_by, and nothing else", _FORMS)
        )
    if margins:
        return f"`{margins[0]}` needs `against`", _FORMS
    if len(limits) != 1:
        return f"expected one of below, above, within or against, found {' and '.join(limits) or 'none'}", _FORMS
    if limits == ["within"] and not ideal:
        with_ideal = format_names(
            tuple(metric.name for metric in metrics_of_kind("accuracy") if metric.ideal is not None)
        )
        return f"`within` is a distance from an ideal, which only {with_ideal} have", f"write below, for {rule.metric}"
    if limits == ["above"] and not ideal:
        return f"{rule.metric} is an error: a version should be below a limit, not above", "write below"
    return None


def _check_limit(rule: Rule, path: Path) -> Iterator[Problem]:
    side = next((name for name in _LIMITS if getattr(rule, name) is not None), None)
    if side is None:
        return
    number = getattr(rule, side)
    problem = number_problem(rule.metric, number) or edge_problem(rule.metric, side, number)
    if problem:
        yield Problem((*path, side), "gate", *problem)
