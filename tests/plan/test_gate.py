"""The gate: every rule holds, or the version does not serve."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.gate import GateEvidence, all_rules_pass, judge_rules
from mlspec.spec.forecast import Rule

CHAMPION = {"wape": 0.10, "bias": -0.04, "coverage": 0.85, "mase": None}
FLOOR = {"wape": 0.125, "bias": 0.08, "coverage": 0.6, "mase": 1.0}


def outcome(
    rule: dict[str, Any], incumbent: dict[str, float | None] | None = None, interval: float | None = 0.8
) -> str:
    (verdict,) = judge_rules([Rule.model_validate(rule)], GateEvidence(CHAMPION, FLOOR, incumbent, interval))
    return verdict.outcome


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"metric": "wape", "below": 0.11}, "pass"),
        ({"metric": "wape", "below": 0.10}, "fail"),
        ({"metric": "coverage", "above": 0.8}, "pass"),
        ({"metric": "coverage", "above": 0.85}, "fail"),
        ({"metric": "coverage", "within": 0.05}, "pass"),
        ({"metric": "coverage", "within": 0.04}, "fail"),
        ({"metric": "bias", "within": 0.04}, "pass"),
        ({"metric": "bias", "within": 0.03}, "fail"),
        ({"metric": "wape", "against": "seasonal-naive", "improves_by": 0.2}, "pass"),
        ({"metric": "wape", "against": "seasonal-naive", "improves_by": 0.21}, "fail"),
        ({"metric": "bias", "against": "seasonal-naive", "not_worse_by": 0.0}, "pass"),
        ({"metric": "coverage", "against": "seasonal-naive", "not_worse_by": 0.0}, "pass"),
        ({"metric": "mase", "below": 2.0}, "inconclusive"),
    ],
)
def test_a_rule_compares_as_it_says(rule: dict[str, Any], expected: str) -> None:
    assert outcome(rule) == expected


def test_the_first_version_has_no_champion_to_beat() -> None:
    assert outcome({"metric": "wape", "against": "champion", "not_worse_by": 0.02}) == "pass"


@pytest.mark.parametrize(
    ("wape", "expected"), [(0.10, "pass"), (0.0981, "pass"), (0.09, "fail"), (None, "inconclusive")]
)
def test_a_new_version_is_held_against_the_one_that_serves(wape: float | None, expected: str) -> None:
    assert outcome({"metric": "wape", "against": "champion", "not_worse_by": 0.02}, {"wape": wape}) == expected


def test_coverage_without_an_interval_is_inconclusive() -> None:
    assert outcome({"metric": "coverage", "within": 0.05}, interval=None) == "inconclusive"


def test_no_rules_let_everything_pass_and_one_doubt_keeps_it_out() -> None:
    assert all_rules_pass(judge_rules([], GateEvidence(CHAMPION, FLOOR, None, 0.8)))
    doubtful = [Rule(metric="wape", below=1.0), Rule(metric="mase", below=1.0)]
    assert not all_rules_pass(judge_rules(doubtful, GateEvidence(CHAMPION, FLOOR, None, 0.8)))


@given(value=st.floats(0, 10), limit=st.floats(0, 10))
def test_a_sentence_says_what_the_outcome_says(value: float, limit: float) -> None:
    (verdict,) = judge_rules([Rule(metric="wape", below=limit)], GateEvidence({"wape": value}, FLOOR, None, 0.8))
    assert (verdict.outcome == "pass") == (value < limit)
    assert ("is not below" in verdict.sentence) == (verdict.outcome == "fail")


def test_what_serves_is_held_against_the_champion_as_it_would_serve() -> None:
    rule = {"metric": "wape", "against": "champion", "not_worse_by": 0.02}
    (verdict,) = judge_rules(
        [Rule.model_validate(rule)], GateEvidence(CHAMPION, FLOOR, {"wape": 0.09}, 0.8, {"wape": 0.09})
    )
    assert (verdict.outcome, "as it would serve" in verdict.sentence) == ("pass", True)
    (worse,) = judge_rules(
        [Rule.model_validate(rule)], GateEvidence(CHAMPION, FLOOR, {"wape": 0.09}, 0.8, {"wape": 0.10})
    )
    assert (worse.outcome, "is worse than champion's 0.09" in worse.sentence) == ("fail", True)
    (unknown,) = judge_rules(
        [Rule.model_validate(rule)], GateEvidence(CHAMPION, FLOOR, {"wape": 0.09}, 0.8, {"wape": None})
    )
    assert unknown.outcome == "inconclusive"


def test_a_version_whose_own_model_fails_keeps_no_successor_out_and_the_verdict_says_so() -> None:
    rule = Rule.model_validate({"metric": "wape", "against": "champion", "not_worse_by": 0.0})
    broken = GateEvidence(CHAMPION, FLOOR, None, 0.8, incumbent_broken=True)
    (verdict,) = judge_rules([rule], broken)
    assert verdict.outcome == "pass"
    assert verdict.sentence == "the model of the version that serves fails, so there is no champion to compare with"
    (floor,) = judge_rules(
        [Rule.model_validate({"metric": "wape", "against": "seasonal-naive", "improves_by": 0.9})], broken
    )
    assert floor.outcome == "fail"
