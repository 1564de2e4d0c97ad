"""Forecasts that change alike are one group; what is a forecast's own is no difference, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.grouping import VARIES, group_changes
from mlspec.state.plan import Action, Change, FieldChange


def changes_of(name: str, horizon: int = 12, action: Action = "update") -> list[Change]:
    fields = (
        FieldChange("model.horizon", 8, horizon, "trains"),
        FieldChange("version", f"v{name}", "(known after the gate)"),
        FieldChange("spec_hash", f"a{name}", f"b{name}"),
        FieldChange("google_x.this.name", f"mlspec-{name}", f"mlspec-{name}-2"),
    )
    none = Change(name, f"data.{name}", "none", "is up to date", {}, {})
    return [none, Change(name, f"model.{name}", action, f"{name} moved", {"a": 1}, {"a": 2}, fields)]


def test_the_same_change_in_many_forecasts_is_one_group() -> None:
    (group,) = group_changes([*changes_of("a"), *changes_of("store-b"), *changes_of("c")])
    assert group.forecasts == ("a", "store-b", "c")
    (change,) = group.changes
    assert (change.resource, change.reason) == ("model", "NAME moved")
    shown = {field.field: (field.before, field.after) for field in change.fields}
    assert shown == {
        "model.horizon": (8, 12),
        "version": (VARIES, "(known after the gate)"),
        "google_x.this.name": ("mlspec-NAME", "mlspec-NAME-2"),
    }


def test_another_value_is_another_group_and_one_alone_keeps_its_values() -> None:
    groups = group_changes([*changes_of("a"), *changes_of("b"), *changes_of("c", horizon=13)])
    assert [group.forecasts for group in groups] == [("a", "b"), ("c",)]
    assert groups[1].changes[0].resource == "model.c"
    assert FieldChange("version", "vc", "(known after the gate)") in groups[1].changes[0].fields


def test_a_name_that_is_part_of_a_word_is_not_replaced() -> None:
    band = [replace(change, reason="band") for change in changes_of("a")]
    bbnd = [replace(change, reason="bbnd") for change in changes_of("b")]
    assert len(group_changes([*band, *bbnd])) == 2


def test_what_destroys_comes_first() -> None:
    groups = group_changes([*changes_of("a"), *changes_of("b", action="replace")])
    assert [group.forecasts for group in groups] == [("b",), ("a",)]


def test_what_does_nothing_is_in_no_group() -> None:
    assert group_changes(changes_of("a")[:1]) == ()


@given(st.lists(st.tuples(st.integers(8, 10), st.sampled_from(["update", "replace", "none"])), max_size=12))
def test_every_forecast_that_changes_is_in_one_group(found: list[tuple[int, Action]]) -> None:
    changes = [
        change for number, (value, action) in enumerate(found) for change in changes_of(f"f{number}", value, action)
    ]
    grouped = [name for group in group_changes(changes) for name in group.forecasts]
    assert sorted(grouped) == sorted(f"f{number}" for number, (_, action) in enumerate(found) if action != "none")
