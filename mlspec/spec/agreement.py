"""`m of n`: how many of the last evaluations have to agree before an alert fires. Read in this one place."""

from __future__ import annotations

from typing import NamedTuple

PATTERN = r"^[1-9][0-9]? of [1-9][0-9]?$"


class Agreement(NamedTuple):
    """`agree` of the last `evaluations`."""

    agree: int
    evaluations: int


def parse_agreement(text: str | None) -> Agreement:
    """Return what a text of PATTERN says; the newest evaluation alone where an alert says nothing."""
    if text is None:
        return Agreement(1, 1)
    agree, evaluations = text.split(" of ")
    return Agreement(int(agree), int(evaluations))
