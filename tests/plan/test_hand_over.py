"""Which commit's specs may be handed over to the loop after which."""

from __future__ import annotations

import pytest

from mlspec.plan.hand_over import changed_specs, why_outdated
from mlspec.state.revision import Revision

NEWEST = Revision("b" * 40, "2026-03-02T10:00:00Z")
BEFORE, SAME_SECOND, AFTER = (
    Revision("a" * 40, f"2026-03-02T{time}Z") for time in ("09:59:59", "10:00:00", "10:00:01")
)


@pytest.mark.parametrize(
    ("newest", "own", "is_ancestor", "may"),
    [
        (None, None, None, True),  # the first, from a folder without git
        (None, BEFORE, None, True),
        (NEWEST, NEWEST, True, True),  # tried again
        (NEWEST, NEWEST, None, True),
        (NEWEST, BEFORE, True, True),  # the history goes before clocks
        (NEWEST, AFTER, False, False),  # another branch, or the branch was rewritten
        (NEWEST, BEFORE, None, False),
        (NEWEST, SAME_SECOND, None, True),
        (NEWEST, AFTER, None, True),
        (NEWEST, None, None, False),
    ],
)
def test_specs_are_handed_over_after_those_that_they_follow(
    newest: Revision | None, own: Revision | None, is_ancestor: bool | None, may: bool
) -> None:
    assert (why_outdated(newest, own, is_ancestor=is_ancestor) is None) is may


def test_a_refusal_names_both_commits() -> None:
    said = why_outdated(NEWEST, BEFORE, is_ancestor=None) or ""
    assert said.startswith("commit aaaaaaaaaaaa of 2026-03-02T09:59:59Z does not contain commit bbbbbbbbbbbb of 2026")


@pytest.mark.parametrize(
    ("held", "own", "changed"),
    [
        ({}, {"a": "1"}, ()),
        ({"a": "1", "b": "2"}, {"a": "1"}, ()),
        ({"a": "1"}, {"a": "1", "new": "3"}, ()),
        ({"a": "1", "b": "2", "c": "3"}, {"c": "4", "a": "5", "b": "2"}, ("a", "c")),
    ],
)
def test_a_spec_that_an_image_is_known_to_hold_in_another_form_is_named(
    held: dict[str, str], own: dict[str, str], changed: tuple[str, ...]
) -> None:
    assert changed_specs(held, own) == changed
