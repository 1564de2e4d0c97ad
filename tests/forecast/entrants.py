"""A table with the rows of several entrants, as the forecasts of a backtest."""

from __future__ import annotations

import pandas as pd

from mlspec.forecast.entrant_forecasts import EntrantForecasts
from mlspec.forecast.frame import CANDIDATE, CUTOFF, ID, TARGET
from mlspec.forecast.scales import SCALE

PERIODS = (ID, CUTOFF, TARGET, SCALE)


def as_forecasts(table: pd.DataFrame) -> EntrantForecasts:
    """Return the rows, which have the same periods in the same order for each candidate."""
    parts = {str(label): part.reset_index(drop=True) for label, part in table.groupby(CANDIDATE, sort=False)}
    periods = [part[[name for name in part if name in PERIODS]] for part in parts.values()]
    for other in periods[1:]:
        pd.testing.assert_frame_equal(other, periods[0])
    others = {label: part.drop(columns=[*periods[0], CANDIDATE], errors="ignore") for label, part in parts.items()}
    return EntrantForecasts(periods[0], others)
