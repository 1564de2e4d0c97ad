"""The types of a record's fields: what a value has to be, by the annotation of its field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from mlspec.state.typed import matches, require_shape, require_types


@dataclass(frozen=True)
class Branch:
    """A record that holds records of its own kind."""

    name: str
    weight: float = 0.0
    parts: tuple[Branch, ...] = ()
    marks: Mapping[str, int | None] | None = None


@pytest.mark.parametrize(
    ("value", "annotation", "well"),
    [
        (1, int, True), (True, int, False), (1.5, int, False), (1, float, True), (True, float, False), ("1", float, False),
        (None, None, True), ("", None, False), (object(), Any, True),
        (None, str | None, True), (1, str | None, False),
        ("on", Literal["on", "off"], True), ("On", Literal["on", "off"], False), (["on"], Literal["on"], False),
        (("a", "b"), tuple[str, ...], True), (["a"], tuple[str, ...], False), (("a", 1), tuple[str, ...], False),
        ({"a": 1}, Mapping[str, int], True), ({"a": "1"}, Mapping[str, int], False), ({1: 1}, Mapping[str, int], False),
        ([("a", 1)], Mapping[str, int], False),
        (Branch("a", parts=(Branch("b", 1),)), Branch, True), (Branch("a", parts=(Branch(2),)), Branch, False),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_a_value_has_the_type_of_its_annotation(value: Any, annotation: Any, well: bool) -> None:
    assert matches(value, annotation) is well


def test_the_first_field_of_another_type_is_named() -> None:
    record = Branch("a", marks={"x": None})
    assert require_types(record) is record
    with pytest.raises(TypeError, match=r"^Branch\.marks is \{'x': 'many'\}, not Mapping"):
        require_types(Branch("a", marks={"x": "many"}))  # type: ignore[dict-item]


def test_a_value_of_a_shape_may_be_missing_and_not_of_another_type() -> None:
    require_shape({}, {"version": str}, "facts")
    with pytest.raises(TypeError, match=r"facts\.version is 7"):
        require_shape({"version": 7}, {"version": str}, "facts")
