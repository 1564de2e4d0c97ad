"""Which key belongs to which resource."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.fields import OWNERS, SHAPES_NOTHING, find_owner, flatten_keys
from mlspec.spec.explain import field_places


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


CLAIMS = Path(__file__).with_name("claims.txt")


def leaf_keys() -> list[str]:
    """Every key of the language that holds a value and no further keys, as a spec has it."""
    places = [path for path, _, _ in field_places("forecast")]
    return [path for path in places if not any(other.startswith(f"{path}.") for other in places)]


def test_every_key_of_the_language_is_claimed_by_the_resources_that_were_decided_on() -> None:
    """A new key fails here until a row of OWNERS, or SHAPES_NOTHING, says what it shapes, and a line of claims.txt agrees."""
    decided = dict(line.split(": ") for line in CLAIMS.read_text(encoding="utf-8").splitlines())
    claimed = {key: "nothing" if key in SHAPES_NOTHING else ", ".join(find_owner(key)[0]) for key in leaf_keys()}
    assert claimed == decided


def test_no_key_of_the_language_is_left_to_the_last_row() -> None:
    named = [prefix for prefix, _, _ in OWNERS if prefix]
    assert not [
        key
        for key in leaf_keys()
        if key not in SHAPES_NOTHING and not any(key == row or key.startswith(f"{row}.") for row in named)
    ]


def test_every_row_names_a_key_that_is_there() -> None:
    facts = {"data.digest", "code.version", "candidate.code", "metric.code", "version", ""}
    keys = leaf_keys()
    rows = {prefix for prefix, _, _ in OWNERS} - facts | set(SHAPES_NOTHING)
    assert not [row for row in rows if not any(key == row or key.startswith(f"{row}.") for key in keys)]
