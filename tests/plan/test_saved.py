"""A saved plan is carried out only in the world that it was made for."""

from dataclasses import replace

import pytest

from mlspec.errors import StalePlan
from mlspec.plan.saved import check_fresh, from_text, to_text
from mlspec.state.plan import Change, FieldChange, Plan

PLAN = Plan(
    target="local", serial=3, lineage="l", commit="c", spec_hashes={"demand": "h"}, notes=("n",), impact=("i",),
    changes=(Change("demand", "model.demand", "update", "why", {"a": 1}, {"a": 2}, (FieldChange("a", 1, 2, "trains"),)),),
)  # fmt: skip


def test_a_plan_reads_back_as_it_was_written() -> None:
    saved = from_text(to_text(PLAN, ("specs",), ("demand",)), "p")
    assert (saved.plan, saved.paths, saved.select) == (PLAN, ("specs",), ("demand",))


def test_the_same_world_is_fresh() -> None:
    check_fresh(PLAN, PLAN)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (replace(PLAN, serial=4), "state serial was 3, is 4"),
        (replace(PLAN, lineage="m"), "state lineage"),
        (replace(PLAN, commit=None), "git commit was c, is none"),
        (replace(PLAN, target="prod"), "target"),
        (replace(PLAN, spec_hashes={"demand": "x"}), "the spec of demand changed"),
        (replace(PLAN, spec_hashes={}), "the spec of demand changed"),
        (replace(PLAN, changes=()), "no longer those that were planned"),
    ],
)
def test_whatever_moved_is_named(now: Plan, said: str) -> None:
    with pytest.raises(StalePlan, match=said):
        check_fresh(PLAN, now)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"kind": "mlspec plan"}',
        '{"kind": "x", "format": 1}',
        to_text(PLAN, (), ())[:-20],
        "\x00",
    ],
)
def test_what_is_no_plan_is_refused_in_words(text: str) -> None:
    with pytest.raises(StalePlan):
        from_text(text, "p")


def test_a_plan_of_another_format_or_with_another_action_is_refused() -> None:
    text = to_text(PLAN, (), ())
    with pytest.raises(StalePlan, match="format 2"):
        from_text(text.replace('"format": 1', '"format": 2'), "p")
    with pytest.raises(StalePlan, match="not a complete plan"):
        from_text(text.replace('"update"', '"explode"'), "p")
