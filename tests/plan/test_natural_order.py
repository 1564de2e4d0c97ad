"""Keys in the order in which a person reads them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.natural_order import natural_key


def test_numbers_are_sorted_by_value() -> None:
    assert sorted(["10", "9", "100", "1"], key=natural_key) == ["1", "9", "10", "100"]
    assert sorted(["shop 10", "shop 9", "depot 2", "shop"], key=natural_key) == ["depot 2", "shop", "shop 9", "shop 10"]
    assert sorted(["2b", "10a", "2a"], key=natural_key) == ["2a", "2b", "10a"]


def test_a_missing_key_is_the_last() -> None:
    assert sorted([None, "b", 3, "1"], key=natural_key) == ["1", 3, "b", None]


@given(st.lists(st.one_of(st.none(), st.integers(), st.text())))
def test_any_keys_can_be_sorted_and_the_order_does_not_depend_on_theirs(values: list[object]) -> None:
    keys = sorted(map(natural_key, values))
    assert keys == sorted(map(natural_key, reversed(values)))


@given(st.text(), st.text())
def test_only_equal_texts_have_equal_keys(one: str, other: str) -> None:
    assert (natural_key(one) == natural_key(other)) == (one == other)
