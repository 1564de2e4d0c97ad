"""What stock levels would order over a forecast: nothing is lost, orders are whole, and the policy is kept."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import assume, given
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


def test_orders_rise_before_a_promotion_so_that_the_safety_stock_stays() -> None:
    demand, safety = [10.0, 10, 10, 10, 30, 30, 30, 30], 6.0
    found = project_stock(demand, OrderRules(30 + safety, None, lead_time=1, review_period=2), 30 + safety)
    assert [each.order for each in found] == [0, 0, 40, 0, 60, 0, 60, 0]  # up to 30, 50, 90 and 90 again, and 6
    assert min(each.stock for each in found) == safety


def test_reorder_point_and_quantity_follow_the_forecast_where_orders_wait_for_a_reorder_point() -> None:
    demand = [10.0, 10, 10, 20, 20, 20, 20]
    rule = OrderRules(15 + 4 + 10, 15 + 4, lead_time=1, review_period=1)  # s = (D(1) + D(2)) / 2 + 4, S = s + D(1)
    later = rule.at_review(list(accumulate(demand, initial=0.0)), 3)
    assert (later.reorder_point, later.order_up_to) == (30 + 4, 30 + 4 + 20)
    packs = OrderRules(15 + 4 + 50, 15 + 4, lead_time=1, review_period=1, pack_size=50)
    moved = packs.at_review(list(accumulate(demand, initial=0.0)), 3)
    assert (moved.reorder_point, moved.order_up_to) == (30 + 4, 30 + 4 + 50)  # a pack is more than a period sells


@pytest.mark.parametrize("reorder_point", [None, 0.0])
def test_a_product_without_demand_is_not_ordered_and_one_that_customers_wait_for_is(
    reorder_point: float | None,
) -> None:
    rule = OrderRules(0.0, reorder_point, lead_time=1, review_period=1, pack_size=12, minimum_order=24)
    assert [each.order for each in project_stock([0.0] * 4, rule, 0.0)] == [0, 0, 0, 0]
    assert [each.order for each in project_stock([0.0] * 4, rule, -1.0)] == [24, 0, 0, 0]


def test_demand_that_begins_or_ends_after_the_first_review_is_ordered_for_by_the_same_rule() -> None:
    rule = OrderRules(0.0, 0.0, lead_time=0, review_period=1, pack_size=12)
    totals = list(accumulate([0.0, 0, 5, 5, 5], initial=0.0))
    later = rule.at_review(totals, 3)
    assert (later.reorder_point, later.order_up_to) == (2.5, 2.5 + 12)
    assert [each.order for each in project_stock([0.0, 0, 5, 5, 5], rule, 0.0)] == [0, 0, 24, 0, 0]
    ending = OrderRules(2.5 + 12, 2.5, lead_time=0, review_period=1, pack_size=12)
    assert [each.order for each in project_stock([5.0, 0, 0, 0], ending, 5.0)] == [0, 0, 0, 0]


def test_a_need_of_last_digits_is_no_order() -> None:
    demand = [0.1, 0.2, 0.3, 0.3, 0, 0, 0]
    found = project_stock(demand, OrderRules(0.1, None, lead_time=0, review_period=1, pack_size=0.1), 0.1)
    assert [round(each.order, 9) for each in found] == [0, 0.2, 0.3, 0.3, 0, 0, 0]


@given(st.lists(amounts, max_size=20), rules, st.floats(-100, 1000))
def test_levels_of_the_first_review_and_of_steady_demand_stay(
    values: list[float], rule: OrderRules, level: float
) -> None:
    assert rule.at_review(list(accumulate(values, initial=0.0)), 0) is rule
    assume(rule.reorder_point is None or rule.reorder_point > 1e-3)  # a level of nothing orders nothing
    steady = [float(round(abs(level)))] * 20
    found = rule.at_review(list(accumulate(steady, initial=0.0)), 7)
    assert (found.order_up_to, found.reorder_point) == (
        pytest.approx(rule.order_up_to), pytest.approx(rule.reorder_point),
    )  # fmt: skip


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
    totals = list(accumulate(demand, initial=0.0))
    for at, period in enumerate(project_stock(demand, rule, on_hand)):
        position = stock + on_order + period.order
        if at % rule.review_period == 0:
            now = rule.at_review(totals, at)
            least = now.order_up_to if now.reorder_point is None else min(now.reorder_point, now.order_up_to)
            assert position >= least - 1e-5
        on_order += period.order - period.arrival
        stock = period.stock
