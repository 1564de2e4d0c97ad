"""The engine's nouns: canonical, frozen, and honest about emptiness."""

from __future__ import annotations

import math
import random
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.state.observed import Observed, ObservedResource
from mlspec.state.plan import ACTIONS, Change, Plan
from mlspec.state.resource import Resource, digest

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


@given(json, st.randoms(use_true_random=False))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: Any, chance: random.Random) -> None:
    assert digest(value) == digest(shuffled(value, chance))


def test_what_differs_has_another_digest() -> None:
    values: list[Any] = [None, 0, False, "", "0", [], {}, [0], {"a": 0}, {"a": None}, 0.5, "é", "e\u0301"]
    assert len({digest(value) for value in values}) == len(values)


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
def test_what_json_cannot_say_has_no_digest(value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest(value)


def test_a_resource_is_its_fields() -> None:
    first, second = Resource("model", "demand", {"a": 1, "b": 2}), Resource("model", "demand", {"b": 2, "a": 1})
    assert first == second
    assert first.address == "model.demand"
    with pytest.raises(FrozenInstanceError):
        first.kind = "data"  # type: ignore[misc]


def test_a_damaged_resource_has_no_fields_to_trust() -> None:
    resource = Resource("data", "demand", {"a": 1})
    assert Observed("demand", {"data": ObservedResource(resource)}).intact_fields("data") == {"a": 1}
    assert (
        Observed("demand", {"data": ObservedResource(resource, damage="panel was deleted")}).intact_fields("data")
        is None
    )
    assert Observed("demand").intact_fields("data") is None
    assert Observed("demand").find_fact("model", "version") is None


def test_a_plan_counts_what_it_does_and_not_what_it_leaves() -> None:
    changes = (
        Change("demand", "data.demand", "none", ""), Change("demand", "model.demand", "create", ""),
        Change("demand", "forecast.demand", "run", ""), Change("other", "forecast.other", "run", ""),
    )  # fmt: skip
    plan = Plan("local", 0, "", changes)
    assert plan.summary == {**dict.fromkeys(ACTIONS, 0), "create": 1, "run": 2}
    assert not plan.is_empty
    assert Plan("local", 0, "", changes[:1]).is_empty
    assert Plan("local", 0, "").is_empty
