"""Moments at which a test cuts something off: some of them in each run, all of them with MLSPEC_EVERY_MOMENT=1."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

Moment = TypeVar("Moment")
APART = 4


def tried(moments: Sequence[Moment]) -> list[Moment]:
    """Return the first two moments, the last two, and every fourth between them.

    What is left behind at one write is mostly what is left behind at the next: all of them take four times as long.
    """
    if os.environ.get("MLSPEC_EVERY_MOMENT") == "1":
        return list(moments)
    last = len(moments) - 1
    return [each for at, each in enumerate(moments) if at < 2 or at > last - 2 or at % APART == 0]
