"""What is said of simulated stock."""

from __future__ import annotations

from typing import Any

from mlspec.plan.stock_outcomes import describe_outcomes

ROW = {
    "candidate": "theta", "policy": "(R,S)", "cycle_service": 0.962, "fill_rate": 0.99, "mean_stock": 1234.5, "stock_periods": 0.66,
    "orders": 1.0, "cycles": 40,
}  # fmt: skip
FACTS: dict[str, Any] = {
    "policy": "(R,S)", "service": "cycle", "service_level": 0.95,
    "simulation": [ROW, {**ROW, "policy": "(s,S)"}, {**ROW, "candidate": "seasonal-naive", "cycle_service": 0.9}],
}  # fmt: skip


def test_it_is_the_policy_of_the_spec_by_each_forecast() -> None:
    assert describe_outcomes(FACTS) == (
        "policy (R,S) on the backtest's actuals, where a cycle service of 95% is asked for: theta reaches 96.2% with 1,234 in "
        "stock (0.66 periods of demand); seasonal-naive reaches 90.0% with 1,234 in stock (0.66 periods of demand)"
    )


def test_it_is_the_service_of_the_spec() -> None:
    assert "a fill rate of 98.5% is asked for: theta reaches 99.0%" in describe_outcomes(
        {**FACTS, "service": "fill-rate", "service_level": 0.985}
    )


def test_what_is_not_known_is_not_said() -> None:
    assert describe_outcomes({}) == ""
    assert describe_outcomes({**FACTS, "simulation": []}) == ""
    nothing = {**ROW, "cycle_service": None, "stock_periods": None, "mean_stock": 0.0}
    assert describe_outcomes({**FACTS, "simulation": [nothing]}).endswith("theta has no cycle to judge with 0 in stock")
