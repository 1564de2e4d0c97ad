"""A plan for many forecasts is read once: those that change alike are shown together, and how to see each is said."""

from __future__ import annotations

from pathlib import Path

import click

from mlspec.cli.plan_text import MOST_FORECASTS, MOST_GROUPS, as_text
from mlspec.plan.grouping import group_sentences
from mlspec.state.plan import Change, FieldChange, Plan
from tests.cli.test_session import Mlspec, mlspec
from tests.examples import spec_text

__all__ = ["mlspec"]  # a fixture


def new_forecasts(count: int) -> list[Change]:
    return [Change(f"shop-{at}", f"model.shop-{at}", "create", "does not exist yet") for at in range(count)]


def shown(*changes: Change, **words: bool) -> str:
    return click.unstyle(as_text(Plan("local", 1, "l", tuple(changes)), **words))


def test_twenty_forecasts_are_shown_each_and_one_more_together() -> None:
    assert shown(*new_forecasts(MOST_FORECASTS)).count("does not exist yet") == MOST_FORECASTS
    text = shown(*new_forecasts(MOST_FORECASTS + 1))
    assert text.count("does not exist yet") == 1
    assert "21 forecasts change in the same way: shop-0, shop-1, shop-2, shop-3, shop-4 and 16 more" in text
    assert "`mlspec plan --all` shows each forecast by itself" in text
    assert "Plan: 21 to create." in text


def test_all_shows_each() -> None:
    assert shown(*new_forecasts(300), in_full=True).count("does not exist yet") == 300


def test_what_is_destroyed_is_never_left_out() -> None:
    def change(at: int, action: str) -> Change:
        field = FieldChange("model.horizon", at, at + 1)
        return Change(f"shop-{at}", f"model.shop-{at}", action, f"it is number {at}", fields=(field,))  # type: ignore[arg-type]

    text = shown(*(change(at, "update") for at in range(100)), *(change(at, "replace") for at in range(100, 140)))
    assert text.count("± model.shop-") == 40
    assert text.count("~ model.shop-") == 0
    assert "… and 100 more forecasts, in 100 groups" in text
    text = shown(*(change(at, "update") for at in range(100)))
    assert text.count("~ model.shop-") == MOST_GROUPS
    assert "… and 80 more forecasts, in 80 groups" in text


def test_sentences_that_read_the_same_are_one_with_their_number() -> None:
    said = ["a: loop: b acts", "b: loop: b acts", "c: loop: c acts", "costs 3 USD"]
    assert group_sentences(said, ["a", "b", "c"]) == (
        ("a: loop: b acts", 1), ("NAME: loop: NAME acts", 2), ("costs 3 USD", 1),
    )  # fmt: skip


def test_300_new_specs_are_a_plan_of_a_page(mlspec: Mlspec) -> None:
    for at in range(300):
        Path(f"specs/shop-{at}.yaml").write_text(spec_text(f"shop-{at}"))
    said = mlspec("plan")
    assert (said.code, said.out.count("\n") < 30) == (0, True), said.out
    assert "301 forecasts change in the same way: demand, shop-0, shop-1, shop-2, shop-3 and 296 more" in said.out
    assert mlspec("plan", "--all").out.count("model.shop-") == 300
