"""What stock levels would order over a forecast: nothing is lost, orders are whole, and the policy is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.stock_projection import OrderRules, project_stock

amounts = st.floats(0, 1000, allow_nan=False)
rules = st.builds(
    OrderRules, order_up_to=amounts, reorder_point=st.none() | amounts, lead_time=st.integers(0, 5),
    review_period=st.integers(1, 4), pack_size=st.sampled_from([0.0, 6.0, 12.5]), minimum_order=st.sampled_from([0.0, 20.0]),
)  # fmt: skip


def test_a_weekly_review_fills_the_stock_up_and_the_order_arrives_after_its_lead_time() -> None:
    found = project_stock([10, 10, 10, 10], OrderRules(40, None, lead_time=1, review_period=2), 40)
    assert [(each.order, each.arrival, each.stock) for each in found] == [
        (0, 0, 30),
        (0, 0, 20),
        (20, 0, 10),
        (0, 20, 20),
    ]


def test_an_order_waits_for_the_reorder_point_and_comes_in_whole_packs() -> None:
    found = project_stock([10, 10, 10], OrderRules(40, 25, lead_time=0, review_period=1, pack_size=12), 30)
    assert [(each.order, each.stock) for each in found] == [(0, 20), (24, 34), (0, 24)]
    least = project_stock([10], OrderRules(40, None, lead_time=0, review_period=1, minimum_order=50), 35)
    assert least[0].order == 50


@given(st.lists(amounts, max_size=20), rules, st.floats(-100, 1000))
def test_stock_is_what_was_there_and_came_less_what_was_sold(
    demand: list[float], rule: OrderRules, on_hand: float
) -> None:
    found = project_stock(demand, rule, on_hand)
    expected = on_hand
    for at, period in enumerate(found):
        expected += period.arrival - period.demand
        assert period.stock == pytest.approx(expected, abs=1e-6)
        assert period.arrival == (found[at - rule.lead_time].order if at >= rule.lead_time else 0)
        assert period.order == 0 or at % rule.review_period == 0
        assert period.order == 0 or period.order >= rule.minimum_order
        if rule.pack_size:
            assert period.order / rule.pack_size == pytest.approx(round(period.order / rule.pack_size))


@given(st.lists(amounts, min_size=1, max_size=20), rules, st.floats(-100, 1000))
def test_after_a_review_no_position_is_below_what_the_policy_keeps(
    demand: list[float], rule: OrderRules, on_hand: float
) -> None:
    on_order, stock = 0.0, on_hand
    for at, period in enumerate(project_stock(demand, rule, on_hand)):
        position = stock + on_order + period.order
        if at % rule.review_period == 0:
            least = rule.order_up_to if rule.reorder_point is None else min(rule.reorder_point, rule.order_up_to)
            assert position >= least - 1e-6
        on_order += period.order - period.arrival
        stock = period.stock
