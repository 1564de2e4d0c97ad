"""Decides whether a version may serve: every rule of the gate against the backtest's metrics. An unknown value does not pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mlspec.spec.forecast import Rule
from mlspec.spec.metrics import find_metric

RuleOutcome = Literal["pass", "fail", "inconclusive"]
Metrics = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """The verdict of one rule: its outcome and a sentence with the figures."""

    outcome: RuleOutcome
    sentence: str


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """The metrics of one backtest.

    `champion` and `floor` (seasonal-naive) are scored in it. `incumbent` is the version that serves now, scored on the same
    cutoffs (None if nothing serves). `interval` is the nominal coverage of the outermost quantiles. `deployed` is the champion
    as it would serve, with fixed members: the incumbent is fixed too, so only this comparison is fair (None: use the champion's
    own metrics). `incumbent_broken`: a version serves, and its model failed on these cutoffs, so there is nothing to be worse than.
    """

    champion: Metrics
    floor: Metrics
    incumbent: Metrics | None
    interval: float | None
    deployed: Metrics | None = None
    incumbent_broken: bool = False


def judge_rules(rules: Sequence[Rule], evidence: GateEvidence) -> tuple[RuleVerdict, ...]:
    """Return one verdict for each rule, in order. Without rules there are no verdicts, and everything passes."""
    return tuple(_judge_rule(rule, evidence) for rule in rules)


def all_rules_pass(verdicts: Sequence[RuleVerdict]) -> bool:
    """Return whether every rule holds. Inconclusive is not a pass."""
    return all(verdict.outcome == "pass" for verdict in verdicts)


def _judge_rule(rule: Rule, evidence: GateEvidence) -> RuleVerdict:
    metric = rule.metric
    value = evidence.champion.get(metric)
    if value is None:
        return RuleVerdict("inconclusive", f"{metric} could not be measured")
    if rule.against is not None:
        return _judge_against(rule, value, evidence)
    if rule.within is not None:
        return _judge_within(rule, rule.within, value, evidence)
    limits = (("below", rule.below), ("above", rule.above))
    word, limit = next((word, limit) for word, limit in limits if limit is not None)
    holds = value < limit if word == "below" else value > limit
    return _rule_verdict(holds, f"{metric} {_format_figure(value)} {{}} {word} {_format_figure(limit)}")


def _judge_within(rule: Rule, margin: float, value: float, evidence: GateEvidence) -> RuleVerdict:
    ideal = _ideal_value(rule.metric, evidence)
    if ideal is None:
        return RuleVerdict(
            "inconclusive", f"{rule.metric} has no nominal value: the spec asks for fewer than two quantiles"
        )
    # The tolerance of 1e-12 allows for rounding of binary fractions: 0.85 has to be within 0.05 of 0.80.
    holds = abs(value - ideal) <= margin + 1e-12
    return _rule_verdict(
        holds, f"{rule.metric} {_format_figure(value)} {{}} within {_format_figure(margin)} of {_format_figure(ideal)}"
    )


def _judge_against(rule: Rule, value: float, evidence: GateEvidence) -> RuleVerdict:
    metric, rival = rule.metric, rule.against
    metrics = evidence.floor if rival == "seasonal-naive" else evidence.incumbent
    if metrics is None and evidence.incumbent_broken:
        return RuleVerdict(
            "pass", "the model of the version that serves fails, so there is no champion to compare with"
        )
    if metrics is None:
        return RuleVerdict("pass", "no version serves yet, so there is no champion to compare with")
    if rival == "champion" and evidence.deployed is not None:
        fixed = evidence.deployed.get(metric)
        if fixed is None:
            return RuleVerdict("inconclusive", f"{metric} could not be measured")
        value = fixed
    other = metrics.get(metric)
    if other is None:
        return RuleVerdict("inconclusive", f"{metric} of {rival} could not be measured")
    loss, yardstick = _metric_loss(metric, value, evidence), _metric_loss(metric, other, evidence)
    if rule.improves_by is not None:
        holds = loss <= yardstick * (1 - rule.improves_by) + 1e-12
        claim = f"better than {rival}'s {_format_figure(other)} by at least {rule.improves_by:.0%}"
    else:
        tolerated = rule.not_worse_by or 0.0
        holds = loss <= yardstick * (1 + tolerated) + 1e-12
        claim = f"no worse than {rival}'s {_format_figure(other)} by more than {tolerated:.0%}"
    change = f" ({loss / yardstick - 1:+.1%})" if yardstick else ""
    served = " as it would serve" if rival == "champion" and evidence.deployed is not None else ""
    return _rule_verdict(holds, f"{metric} {_format_figure(value)}{served}{change} {{}} {claim}")


def _metric_loss(metric: str, value: float, evidence: GateEvidence) -> float:
    """Return how far a metric is from ideal: an error is its own loss, other metrics have an ideal that is not 0."""
    return value if find_metric(metric).ideal is None else abs(value - (_ideal_value(metric, evidence) or 0.0))


def _ideal_value(metric: str, evidence: GateEvidence) -> float | None:
    """Return a metric's ideal value; None if it is the nominal interval and there are too few quantiles for one."""
    ideal = find_metric(metric).ideal
    return evidence.interval if ideal == "nominal" else ideal


def _rule_verdict(holds: bool, sentence: str) -> RuleVerdict:
    return RuleVerdict(
        "pass" if holds else "fail", sentence.format("is" if holds else "is not").replace("is not no worse", "is worse")
    )


def _format_figure(value: float) -> str:
    return f"{value:.4g}"
