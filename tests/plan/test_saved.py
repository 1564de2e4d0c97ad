"""A saved plan is carried out only in the world that it was made for."""

from dataclasses import replace

import pytest

from mlspec.errors import StalePlan
from mlspec.plan.saved import check_fresh, from_text, to_text
from mlspec.state.plan import Change, FieldChange, Plan

HORIZON = FieldChange("model.horizon", 8, 12, "trains")
MODEL = Change(
    "demand",
    "model.demand",
    "update",
    "why",
    {"model.horizon": 8, "d": "x"},
    {"model.horizon": 12, "d": "x"},
    (HORIZON,),
)
DATA = Change("demand", "data.demand", "none", "is up to date", {"d": "x"}, {"d": "x"})
NEW = Change("bikes", "model.bikes", "create", "does not exist yet", None, {"model.horizon": 7, "d": "y"})
PLAN = Plan(
    target="local", serial=3, lineage="l", commit="c", spec_hashes={"demand": "h", "bikes": "i"}, inputs={"the settings": "s"},
    notes=("n",), impact=("i",), changes=(DATA, MODEL, NEW),
)  # fmt: skip


def with_change(planned: Change, **parts: object) -> Plan:
    """The plan, with one change that differs."""
    other = replace(planned, **parts)  # type: ignore[arg-type]
    return replace(PLAN, changes=tuple(other if change is planned else change for change in PLAN.changes))


def test_a_plan_reads_back_as_it_was_written() -> None:
    saved = from_text(to_text(PLAN, ("specs",), ("demand",)), "p")
    assert (saved.plan, saved.paths, saved.select) == (PLAN, ("specs",), ("demand",))


@pytest.mark.parametrize(
    "now",
    [
        PLAN,
        replace(PLAN, commit=None),
        replace(PLAN, commit="a squash merge of the same files"),
        replace(PLAN, serial=4),  # a write about something else
        replace(PLAN, notes=(), impact=("backfills 3 intervals",)),
        with_change(DATA, before={"d": "z"}, after={"d": "z"}),  # the loop read new data: there is still nothing to do
        with_change(MODEL, before={"model.horizon": 8, "d": "z"}, after={"model.horizon": 12, "d": "z"}),
        with_change(MODEL, reason="in other words"),
    ],
)
def test_a_plan_holds_while_a_new_one_says_the_same(now: Plan) -> None:
    check_fresh(PLAN, now)
    check_fresh(from_text(to_text(PLAN, (), ()), "p").plan, now)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (replace(PLAN, lineage="m", serial=4), "state lineage was l, is m; state serial was 3, is 4"),
        (replace(PLAN, lineage=""), "state lineage was l, is none"),
        (replace(PLAN, target="prod"), "target was local, is prod"),
        (replace(PLAN, spec_hashes={"demand": "x", "bikes": "i"}), "the spec of demand changed"),
        (replace(PLAN, spec_hashes={"bikes": "i"}), "the spec of demand is gone"),
        (replace(PLAN, spec_hashes={**PLAN.spec_hashes, "third": "t"}), "the spec of third is new"),
        (replace(PLAN, inputs={"the settings": "t"}), "the settings changed"),
        (replace(PLAN, inputs={}), "the settings changed"),
        (replace(PLAN, changes=(DATA, MODEL)), "model.bikes: is in the plan only"),
        (
            replace(PLAN, changes=(*PLAN.changes, replace(DATA, resource="dag.demand"))),
            "dag.demand: is not in the plan",
        ),
        (
            with_change(DATA, action="run", reason="it changed"),
            r"data.demand: the plan says nothing to do, now it is run \(it changed\)",
        ),
        (
            with_change(MODEL, action="none", reason=""),
            r"model.demand: the plan says update \(why\), now it is nothing to do",
        ),
        (with_change(MODEL, fields=(replace(HORIZON, before=10),)), "model.demand: model.horizon moved"),
        (with_change(MODEL, fields=(replace(HORIZON, after=13),)), "model.demand: model.horizon moved"),
        (with_change(MODEL, fields=(HORIZON, FieldChange("d", "x", "z"))), "model.demand: d moved"),
        (with_change(NEW, after={"model.horizon": 7, "d": "z"}), "model.bikes: d moved"),
    ],
)
def test_whatever_moved_is_named(now: Plan, said: str) -> None:
    with pytest.raises(StalePlan, match=said):
        check_fresh(PLAN, now)


def test_a_refusal_says_where_it_was_planned_and_names_no_end_of_differences() -> None:
    now = replace(PLAN, commit="d", spec_hashes={f"f{number}": "x" for number in range(40)})
    with pytest.raises(StalePlan, match=r"; and 37 more \(planned at commit c, now d\)$"):
        check_fresh(PLAN, now)


def test_a_write_that_changes_what_is_planned_is_said_with_the_serial() -> None:
    now = replace(with_change(MODEL, action="none"), serial=9)
    with pytest.raises(StalePlan, match=r"state serial was 3, is 9; model\.demand: "):
        check_fresh(PLAN, now)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"kind": "mlspec plan"}',
        '{"kind": "x", "format": 2}',
        to_text(PLAN, (), ())[:-20],
        "\x00",
        to_text(PLAN, (), ()).replace('"before": 8', '"before": NaN'),
        to_text(PLAN, (), ()).replace('"field": "model.horizon"', '"field": 8'),
        to_text(PLAN, (), ()).replace('"after": {', '"after": [], "unknown": {', 1),
    ],
)
def test_what_is_no_plan_is_refused_in_words(text: str) -> None:
    with pytest.raises(StalePlan):
        from_text(text, "p")


def test_a_plan_of_another_format_or_with_another_action_is_refused() -> None:
    text = to_text(PLAN, (), ())
    with pytest.raises(StalePlan, match="format 1"):
        from_text(text.replace('"format": 2', '"format": 1'), "p")
    with pytest.raises(StalePlan, match="not a complete plan"):
        from_text(text.replace('"update"', '"explode"'), "p")
