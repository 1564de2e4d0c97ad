"""How long a run will go on: an estimate from what is done of it, or none."""

from __future__ import annotations

from collections.abc import Sequence

SURE_AFTER = 5.0  # seconds of a step until its pace counts: its first part also starts processes and imports libraries


def run_seconds_left(finished: Sequence[float], count: int, running: float) -> float | None:
    """Return the seconds until `count` forecasts are done; None before the first one is.

    `finished` has the seconds of each that is done, `running` those of the one that is under way: a forecast takes as long as those
    before it did.
    """
    if not finished:
        return None
    usual = sum(finished) / len(finished)
    return max(usual - running, 0.0) + usual * max(count - len(finished) - 1, 0)


def step_seconds_left(elapsed: float, done: int, total: int) -> float | None:
    """Return the seconds until a step is done of which `done` of `total` parts are; None while that says too little."""
    if not 0 < done < total or elapsed < SURE_AFTER:
        return None
    return elapsed / done * (total - done)


def time_text(seconds: float) -> str:
    """Return a time in the precision that an estimate has: 20 s, 3 min, 2 h 10 min."""
    if seconds < 55:
        return f"{max(round(seconds / 10), 1) * 10} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(round(minutes / 10) * 10, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
