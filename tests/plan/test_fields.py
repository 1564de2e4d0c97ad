"""Which key belongs to which resource."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.fields import find_owner, flatten_keys


@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        ("dataset.source.uri", ("data",)),
        ("dataset.checks.completeness.min", ("data",)),
        ("dataset.target", ("data", "model")),
        ("dataset.actuals.available_after", ("deployment",)),
        ("model.horizon", ("data", "model")),
        ("model.quantiles", ("model",)),
        ("model.gate[0].below", ("model",)),
        ("inventory.lead_time", ("forecast",)),
        ("alerts[0].above", ("deployment",)),
        ("metadata.owner", ("deployment",)),
        ("modelling", ("deployment",)),
    ],
)
def test_each_key_has_one_home(key: str, kinds: tuple[str, ...]) -> None:
    assert find_owner(key)[0] == kinds


def test_flat_keys_name_entries_of_lists_of_mappings_and_keep_other_lists_whole() -> None:
    value = {
        "alerts": [{"name": "a", "by": ["store"]}, {"name": "b"}],
        "model": {"quantiles": [0.1, 0.9], "seed": None},
        "labels": {},
    }
    assert flatten_keys(value) == {
        "alerts[0].name": "a", "alerts[0].by": ["store"], "alerts[1].name": "b", "model.quantiles": [0.1, 0.9],
    }  # fmt: skip


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from("abc"), json, max_size=3))
def test_a_flat_table_holds_no_empty_value_and_no_mapping(value: dict[str, object]) -> None:
    flat = flatten_keys(value)
    assert all(found is not None and found not in ({}, []) and not isinstance(found, dict) for found in flat.values())
