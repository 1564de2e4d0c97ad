"""How many windows a backtest has, and how far apart: as a spec asks for, or as a short history allows."""

from __future__ import annotations

from mlspec.errors import ModelError

# Fewest periods before the first cutoff, and fewest windows: from a single one no champion can be chosen.
FEWEST_PERIODS, FEWEST_WINDOWS = 2, 2
# Windows that overlap more than this share tell little more than one of them.
MOST_OVERLAP = 0.75


def fit_windows(length: int, horizon: int, season: int, windows: int, step: int) -> tuple[int, int]:
    """Return number and distance of the windows for a history of `length` periods: as asked for, or nearer, or fewer.

    Raises ModelError if two do not fit, or a single one that was asked for.
    """
    for least in (2 * season, FEWEST_PERIODS):
        room = length - max(least, FEWEST_PERIODS) - horizon  # periods between the first cutoff and the last
        if room >= (windows - 1) * step:
            return windows, step
        nearest = max(1, round(horizon * (1 - MOST_OVERLAP)))
        for count in range(windows, FEWEST_WINDOWS - 1, -1):
            distance = min(step, room // (count - 1))
            if distance >= min(nearest, step):
                return count, distance
    needed = FEWEST_PERIODS + horizon + (nearest if windows > 1 else 0)
    raise ModelError(
        f"a backtest of {min(windows, FEWEST_WINDOWS)} windows of {horizon} periods needs {needed} periods of history; "
        f"there are {length}",
        hint="lower model.horizon, or provide more history",
    )
