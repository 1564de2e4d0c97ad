"""Deals forecasts among the tasks of one job: each task gets the same ones every time, whatever other forecasts there are."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

PER_TASK = 20  # forecasts that one task works on in a pass: a few seconds for each


@dataclass(frozen=True, slots=True)
class Share:
    """The forecasts of task number `index` (from 0) of `count`. Each forecast is in exactly one task's share."""

    index: int = 0
    count: int = 1

    def has(self, name: str) -> bool:
        """Return whether a forecast is in this share."""
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
        return number % self.count == self.index


EVERYTHING = Share()


def tasks_for(busy: int, most: int) -> int:
    """Return the number of tasks, `most` at most, for a pass in which `busy` forecasts have work; 1 if one task is enough."""
    return max(1, min(most, math.ceil(busy / PER_TASK)))
