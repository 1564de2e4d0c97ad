"""Parses `m of n`: how many of the last evaluations have to be beyond the threshold before an alert fires."""

from __future__ import annotations

from typing import NamedTuple

PATTERN = r"^[1-9][0-9]? of [1-9][0-9]?$"


class Agreement(NamedTuple):
    """`agree` of the last `evaluations`."""

    agree: int
    evaluations: int


def parse_agreement(text: str | None) -> Agreement:
    """Return the numbers in a text of PATTERN; 1 of 1 if an alert has none."""
    if text is None:
        return Agreement(1, 1)
    agree, evaluations = text.split(" of ")
    return Agreement(int(agree), int(evaluations))
