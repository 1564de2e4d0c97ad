"""A plan as Markdown: what a reviewer reads on a pull request, whatever the specs say and however many there are."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlspec.cli.plan_markdown import LIMIT, as_markdown, marker
from mlspec.state.plan import Change, FieldChange, Obstacle, Plan
from tests.render.test_quote import HOSTILE, MARKUP, read_markdown, shown

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=80)


def model(name: str, before: int = 8, after: int = 12, **parts: object) -> Change:
    fields = (FieldChange("model.horizon", before, after, "trains"),)
    return Change(name, f"model.{name}", "update", "model.horizon changed: trains", {}, {}, fields, **parts)  # type: ignore[arg-type]


def plan_of(*changes: Change, **parts: object) -> Plan:
    return Plan("prod", 3, "l", changes, **parts)  # type: ignore[arg-type]


def test_a_changed_horizon_is_read_at_once() -> None:
    text = as_markdown(plan_of(model("demand"), Change("bikes", "model.bikes", "none", "is up to date"), commit="abc"))
    assert text.splitlines()[0] == marker("prod") == "<!-- mlspec plan: prod -->"
    assert "**1 to change**, in 1 of 2 forecasts." in text
    assert "<summary><code>demand</code>: <code>~ model</code></summary>" in text
    assert "- `~` update `model.demand`: `model.horizon changed: trains`\n  - `model.horizon`: `8` → `12`" in text
    assert text.endswith("Planned at commit `abc`.")


def test_the_same_change_in_many_forecasts_is_written_once() -> None:
    text = as_markdown(plan_of(*(model(f"store-{number}") for number in range(300))))
    assert text.count("<details>") == 1
    assert (
        "<code>store-0</code>, <code>store-1</code>, <code>store-2</code>, <code>store-3</code>, <code>store-4</code> and 295 more"
        in text
    )
    assert "300 forecasts change in the same way: `store-0`, " in text
    assert "and 260 more." in text
    assert text.count("`8` → `12`") == 1


def test_nothing_to_do_is_said_and_a_gate_that_keeps_out_is_not_hidden() -> None:
    kept = Change("demand", "deployment.demand", "none", "the gate keeps v1 out")
    assert "**Nothing to do.**" in as_markdown(plan_of())
    assert "- `demand`: `the gate keeps v1 out`" in as_markdown(plan_of(kept))


def test_what_cannot_be_planned_stands_first() -> None:
    text = as_markdown(plan_of(model("demand"), obstacles=(Obstacle("lost", "there is no `data`", "put it there"),)))
    assert "**1 cannot be planned.** **1 to change**, in 1 of 2 forecasts." in text
    assert "- `lost` cannot be planned: `` there is no `data` `` (hint: `put it there`)" in text
    assert text.index("`lost` cannot be planned") < text.index("<details>")


def test_what_is_destroyed_comes_first_and_is_marked() -> None:
    gone = Change("bikes", "infra.bikes", "delete", "1 to destroy")
    text = as_markdown(plan_of(model("demand"), gone))
    assert text.index("destroys: <code>bikes</code>") < text.index("<code>demand</code>")


def test_a_record_that_is_empty_is_said() -> None:
    assert "The record of this target is empty" in as_markdown(Plan("team", 0, "", (model("demand"),)))
    assert "The record of this target is empty" not in as_markdown(plan_of(model("demand")))


def test_what_does_not_fit_is_counted() -> None:
    changes = [model(f"f{number}", after=number + 20) for number in range(2000)]
    text = as_markdown(plan_of(*changes))
    written = text.count("<details>")
    assert 100 < written < 2000
    assert (
        f"Left out, because a comment has 65,536 characters at most: the changes of {2000 - written} forecasts.**"
        in text
    )
    assert len(text.encode()) <= LIMIT


@settings(max_examples=60)
@given(
    st.lists(st.tuples(texts, texts, st.integers(0, 3)), max_size=6),
    st.lists(texts, max_size=3),
    st.integers(2_000, 6_000),
)
@example([(text, text, 1) for text in (*HOSTILE, *MARKUP)], list(MARKUP), LIMIT)
def test_no_text_of_a_spec_is_markup_and_the_limit_holds(
    found: list[tuple[str, str, int]], sentences: list[str], limit: int
) -> None:
    changes = [
        Change(f"f{number}", f"model.f{number}", "update", reason, {}, {}, tuple(
            FieldChange(f"dataset.checks.range{{{value}}}.{index}", value, [value]) for index in range(count)
        ))
        for number, (reason, value, count) in enumerate(found)
    ]  # fmt: skip
    obstacles = tuple(Obstacle(f"o{number}", text, text) for number, text in enumerate(sentences))
    plan = plan_of(*changes, notes=tuple(sentences), impact=tuple(sentences), obstacles=obstacles, commit="c")
    text = as_markdown(plan, limit)
    assert len(text.encode()) <= limit
    read = read_markdown(text)
    assert set(read.tags) <= {"h3", "p", "strong", "code", "details", "summary", "ul", "li"}
    assert "@" not in read.rest
    assert "http" not in read.rest
    if limit == LIMIT:
        assert "Left out" not in text
        assert shown("<script>alert(1)</script>") in read.code
